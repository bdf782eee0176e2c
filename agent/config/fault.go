// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"slices"
)

// Fault is one thing that is wrong in a configuration.
type Fault struct {
	line int // 0: not known; that of the path is taken
	path string
	text string
}

// Faultf is a fault of what stands at path.
func Faultf(path, format string, args ...any) Fault {
	return Fault{path: path, text: fmt.Sprintf(format, args...)}
}

// Faults gathers faults in any order.
type Faults struct {
	all   []Fault
	lines map[string]int // path -> line of everything in the file
}

// Add adds those that are not hidden by an earlier one.
func (l *Faults) Add(faults ...Fault) {
	for _, f := range faults {
		if f.line == 0 {
			f.line = l.line(f.path)
		}
		if !l.covered(f.path) {
			l.all = append(l.all, f)
		}
	}
}

// line is where path stands, or the nearest thing around it.
func (l *Faults) line(path string) int {
	for path != "" {
		if line, ok := l.lines[path]; ok {
			return line
		}
		path = parentPath(path)
	}
	return 1
}

// covered tells whether path, or something around it, is at fault already: a
// second complaint about a value that could not be read would only mislead.
func (l *Faults) covered(path string) bool {
	for ; ; path = parentPath(path) {
		if slices.ContainsFunc(l.all, func(f Fault) bool { return f.path == path }) {
			return true
		}
		if path == "" {
			return false
		}
	}
}

// Join is all faults as one error, in the order of the file, each as "FILE:LINE: PATH: what is wrong"; nil if there is none.
func (l *Faults) Join(file string) error {
	slices.SortStableFunc(l.all, func(a, b Fault) int { return a.line - b.line })
	errs := make([]error, 0, len(l.all))
	for _, f := range l.all {
		where := fmt.Sprintf("%s:%d: ", file, f.line)
		if f.path != "" {
			where += f.path + ": "
		}
		errs = append(errs, errors.New(where+f.text))
	}
	return errors.Join(errs...)
}

// Repeated complains about values that came before, at path with the index; the zero value stands for
// one that could not be read.
func Repeated[T comparable](values []T, path string, text func(first int, v T) string) (faults []Fault) {
	var none T
	for i, v := range values {
		if first := slices.Index(values, v); first < i && v != none {
			faults = append(faults, Faultf(fmt.Sprintf(path, i), "%s", text(first, v)))
		}
	}
	return faults
}
