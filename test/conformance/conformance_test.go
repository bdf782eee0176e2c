// SPDX-License-Identifier: Apache-2.0

package conformance

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

const root = "../.."

// requirement is a row of the ledger.
type requirement struct {
	line          int
	number        string // "5352-17": the RFC, and the row in it
	where, proven string // the last two columns
}

var (
	row    = regexp.MustCompile(`^\| (535[2346]-\d+) \| [^|]+ \| [^|]+ \| ([^|]*) \| ([^|]*) \|$`)
	named  = regexp.MustCompile("`([a-z][a-z0-9/]*)\\.((?:Test|Fuzz|Example|Benchmark)\\w+)`")
	excuse = regexp.MustCompile(`^(not done|not ours): \S.{10,}`)
	place  = regexp.MustCompile("`([a-z]+/[a-z0-9/_.]+)`")
	counts = regexp.MustCompile(`(\d+) requirements, of which (\d+) are implemented and shown, (\d+) are not done, and (\d+) are not ours`)
)

// TestLedger: every requirement is numbered in order, says where it is implemented, and names tests that exist, or says why
// it is not done or not for us to do.
func TestLedger(t *testing.T) {
	rows := readRows(t, readLedger(t))
	next := map[string]int{"5352": 1, "5353": 1, "5354": 1, "5356": 1}
	tests := map[string]map[string]bool{}
	for _, r := range rows {
		rfc, _, _ := strings.Cut(r.number, "-")
		if want := fmt.Sprintf("%s-%d", rfc, next[rfc]); r.number != want {
			t.Errorf("line %d: number %s, want %s", r.line, r.number, want)
		}
		next[rfc]++
		if fault := r.fault(tests); fault != "" {
			t.Errorf("line %d: %s: %s", r.line, r.number, fault)
		}
	}
	for rfc, n := range next {
		if n == 1 {
			t.Errorf("no requirement of RFC %s", rfc)
		}
	}
}

// TestCounts: what the page says in all is what its rows say.
func TestCounts(t *testing.T) {
	text := readLedger(t)
	var all, undone, others int
	for _, r := range readRows(t, text) {
		all++
		switch m := excuse.FindStringSubmatch(r.proven); {
		case m == nil:
		case m[1] == "not done":
			undone++
		default:
			others++
		}
	}
	want := fmt.Sprint([]int{all, all - undone - others, undone, others})
	m := counts.FindStringSubmatch(strings.ReplaceAll(text, "\n", " "))
	if m == nil || fmt.Sprint(m[1:]) != want {
		t.Errorf("the page says %q, want %s", m, want)
	}
}

// TestFault: the judge itself refuses what it must.
func TestFault(t *testing.T) {
	for _, tt := range []struct {
		name   string
		row    requirement
		faulty bool
	}{
		{"a test that exists", requirement{where: "here", proven: "`test/conformance.TestFault`"}, false},
		{"a test that does not", requirement{where: "here", proven: "`test/conformance.TestNothing`"}, true},
		{"one of two does not", requirement{where: "here", proven: "`test/conformance.TestFault`, `test/conformance.TestNo`"}, true},
		{"a package that does not", requirement{where: "here", proven: "`test/nowhere.TestFault`"}, true},
		{"a place that exists", requirement{where: "`test/conformance/doc.go`: there", proven: "`test/conformance.TestFault`"}, false},
		{"a place that does not", requirement{where: "`test/conformance/nothing.go`", proven: "`test/conformance.TestFault`"}, true},
		{"a test, but nowhere implemented", requirement{proven: "`test/conformance.TestFault`"}, true},
		{"no test", requirement{where: "here"}, true},
		{"words instead of a test", requirement{where: "here", proven: "by inspection"}, true},
		{"a reason", requirement{proven: "not done: nobody has asked for it yet"}, false},
		{"a reason without a reason", requirement{proven: "not done: no"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := tt.row.fault(map[string]map[string]bool{}); (got != "") != tt.faulty {
				t.Errorf("fault %q, want one: %v", got, tt.faulty)
			}
		})
	}
}

func readLedger(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "docs", "conformance.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func readRows(t *testing.T, text string) []requirement {
	t.Helper()
	var rows []requirement
	for i, line := range strings.Split(text, "\n") {
		if m := row.FindStringSubmatch(line); m != nil {
			rows = append(rows, requirement{i + 1, m[1], strings.TrimSpace(m[2]), strings.TrimSpace(m[3])})
		} else if strings.HasPrefix(line, "| 535") {
			t.Errorf("line %d is no row of five columns: %s", i+1, line)
		}
	}
	return rows
}

// fault says what is wrong with a row, or "". tests caches the names of each package's tests.
func (r requirement) fault(tests map[string]map[string]bool) string {
	names := named.FindAllStringSubmatch(r.proven, -1)
	switch {
	case excuse.MatchString(r.proven):
		return ""
	case len(names) == 0:
		return "names no test and gives no reason"
	case r.where == "":
		return "does not say where it is implemented"
	}
	for _, p := range place.FindAllStringSubmatch(r.where, -1) {
		if _, err := os.Stat(filepath.Join(root, p[1])); err != nil {
			return fmt.Sprintf("there is no %s", p[1])
		}
	}
	for _, n := range names {
		if tests[n[1]] == nil {
			tests[n[1]] = testsOf(n[1])
		}
		if !tests[n[1]][n[2]] {
			return fmt.Sprintf("there is no %s in %s", n[2], n[1])
		}
	}
	return ""
}

// testsOf are the names of the functions in a package's test files.
func testsOf(folder string) map[string]bool {
	names := map[string]bool{}
	files, _ := filepath.Glob(filepath.Join(root, folder, "*_test.go")) // the pattern is well-formed
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			continue // then the package's own tests do not compile either
		}
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil {
				names[fn.Name.Name] = true
			}
		}
	}
	return names
}
