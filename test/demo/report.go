// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode/utf8"
)

// Report is the demo's result.
type Report struct {
	OK     bool    `json:"ok"`
	Checks []Check `json:"checks"`
}

// Check is one of the demo's checks: what was expected and what was seen, and whether they agree.
type Check struct {
	Name     string `json:"name"`
	OK       bool   `json:"ok"`
	Expected string `json:"expected"`
	Seen     string `json:"seen"`

	lines []line
}

// line is one expectation of a check.
type line struct {
	ok             bool
	expected, seen string
}

// expect notes one expectation and what was seen of it.
func (c *Check) expect(ok bool, expected, seen string, args ...any) {
	c.lines = append(c.lines, line{ok, expected, fmt.Sprintf(seen, args...)})
}

// fail notes that the check could not be carried through.
func (c *Check) fail(err error) {
	c.expect(false, "the check runs to its end", "%v", err)
}

// conclude sums the lines up; a check without any has shown nothing.
func (c *Check) conclude() {
	c.OK = len(c.lines) > 0
	var expected, seen []string
	for _, l := range c.lines {
		c.OK = c.OK && l.ok
		expected, seen = append(expected, l.expected), append(seen, l.seen)
	}
	c.Expected, c.Seen = strings.Join(expected, "; "), strings.Join(seen, "; ")
}

// WriteJSON writes the report as one document.
func (r Report) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

// Widths of the table's long columns: it fits a terminal of 120 columns.
const (
	expectedWidth = 46
	seenWidth     = 56
)

// WriteTable writes the report for people, an entry an expectation.
func (r Report) WriteTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "CHECK\tHELD\tEXPECTED\tSEEN")
	for _, c := range r.Checks {
		name := c.Name
		for _, l := range c.lines {
			writeLine(t, name, l)
			name = ""
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	verdict := "All checks held."
	if !r.OK {
		verdict = "NOT all checks held."
	}
	_, err := fmt.Fprintf(w, "\n%s\n", verdict)
	return err
}

// writeLine writes one expectation, its long cells over several lines.
func writeLine(w io.Writer, name string, l line) {
	held := mark(l.ok)
	expected, seen := wrap(l.expected, expectedWidth), wrap(l.seen, seenWidth)
	for i := range max(len(expected), len(seen)) {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", name, held, at(expected, i), at(seen, i))
		name, held = "", ""
	}
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return ""
}

// wrap breaks text between words into lines of at most width characters; a longer word stands alone.
func wrap(text string, width int) (lines []string) {
	current := ""
	for _, word := range strings.Fields(text) {
		switch {
		case current == "":
			current = word
		case utf8.RuneCountInString(current)+1+utf8.RuneCountInString(word) <= width:
			current += " " + word
		default:
			lines = append(lines, current)
			current = word
		}
	}
	return append(lines, current)
}

func mark(ok bool) string {
	if ok {
		return "yes"
	}
	return "NO"
}
