// SPDX-License-Identifier: Apache-2.0

package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Decoder walks YAML nodes beside the shape that a tree of parsers describes.
// yaml's own strict mode knows lines but no paths, and stops at the first
// duplicate.
type Decoder struct{ Faults Faults }

// Parser reads the node at path into where it was told to.
type Parser func(n *yaml.Node, path string)

// Document reads the one YAML document of text.
func (d *Decoder) Document(text []byte, root Parser) {
	in := yaml.NewDecoder(bytes.NewReader(text))
	var doc, more yaml.Node
	switch err := in.Decode(&doc); {
	case errors.Is(err, io.EOF):
		d.fail(1, "", "the file is empty")
		return
	case err != nil:
		d.fail(syntaxFault(err))
		return
	}
	d.visit(root, doc.Content[0], "")
	switch err := in.Decode(&more); {
	case err == nil:
		d.fail(more.Line, "", "a second document starts here; one file holds one configuration")
	case !errors.Is(err, io.EOF):
		d.fail(syntaxFault(err))
	}
}

// syntaxFault takes the line out of yaml's "yaml: line 3: did not find …", which
// is one too small for what its parser finds and right for its scanner.
func syntaxFault(err error) (line int, path, text string) {
	text = strings.TrimPrefix(err.Error(), "yaml: ")
	if _, err := fmt.Sscanf(text, "line %d: ", &line); err != nil {
		return 1, "", "not YAML: " + text
	}
	_, text, _ = strings.Cut(text, ": ")
	return line, "", "not YAML, here or one line below: " + text
}

func (d *Decoder) fail(line int, path, text string) {
	d.Faults.all = append(d.Faults.all, Fault{line, path, text})
}

func (d *Decoder) visit(parse Parser, n *yaml.Node, path string) {
	line := n.Line
	if n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if d.Faults.lines == nil {
		d.Faults.lines = map[string]int{}
	}
	if d.Faults.lines[path] == 0 {
		d.Faults.lines[path] = line
	}
	parse(n, path)
}

// Object reads a mapping with these keys and no others.
func (d *Decoder) Object(fields map[string]Parser) Parser {
	return func(n *yaml.Node, path string) {
		if n.Kind != yaml.MappingNode {
			d.fail(d.Faults.line(path), path, describe(n)+" instead of a group of keys")
			return
		}
		seen := map[string]int{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i], n.Content[i+1]
			at := childPath(path, key.Value)
			parse, known := fields[key.Value]
			switch first, twice := seen[key.Value]; {
			case !known:
				d.fail(key.Line, at, "unknown key; known here: "+strings.Join(slices.Sorted(maps.Keys(fields)), ", "))
				continue
			case twice:
				d.fail(key.Line, at, fmt.Sprintf("given twice, first in line %d", first))
				continue
			}
			seen[key.Value] = key.Line
			d.Faults.lines[at] = key.Line
			d.visit(parse, value, at)
		}
	}
}

// List reads a sequence; item gives the parser of one element.
func List[T any](d *Decoder, out *[]T, item func(*T) Parser) Parser {
	return func(n *yaml.Node, path string) {
		if n.Kind != yaml.SequenceNode {
			d.fail(d.Faults.line(path), path, describe(n)+" instead of a list")
			return
		}
		*out = make([]T, len(n.Content))
		for i, child := range n.Content {
			d.visit(item(&(*out)[i]), child, fmt.Sprintf("%s[%d]", path, i))
		}
	}
}

// Scalar reads a single value through parse, whose error is the fault's text.
func Scalar[T any](d *Decoder, out *T, parse func(n *yaml.Node) (T, error)) Parser {
	return func(n *yaml.Node, path string) {
		value, err := *out, error(nil)
		if n.Kind != yaml.ScalarNode || n.ShortTag() == "!!null" {
			err = fmt.Errorf("%s instead of a value", describe(n))
		} else {
			value, err = parse(n)
		}
		if err != nil {
			d.fail(d.Faults.line(path), path, err.Error())
			return
		}
		*out = value
	}
}

// describe names what stands where something else should.
func describe(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a group of keys"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.ShortTag() == "!!null":
		return "nothing"
	}
	return strconv.Quote(n.Value)
}

// plain is s as it stands if that is one word, else in quotes.
func plain(s string) string {
	if s == "" || strings.ContainsFunc(s, func(r rune) bool { return r == ' ' || !strconv.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}

func childPath(path, key string) string {
	key = plain(key)
	if path == "" {
		return key
	}
	return path + "." + key
}

// parentPath strips the last key or index; the parent of a single key is "".
func parentPath(path string) string {
	return path[:max(0, strings.LastIndexAny(path, ".["))]
}
