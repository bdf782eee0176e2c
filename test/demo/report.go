// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
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

// WriteTable writes the report for people, a line an expectation.
func (r Report) WriteTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "CHECK\tHELD\tEXPECTED\tSEEN")
	for _, c := range r.Checks {
		name := c.Name
		for _, l := range c.lines {
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", name, mark(l.ok), l.expected, l.seen)
			name = ""
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if r.OK {
		_, err := fmt.Fprintln(w, "\nAll checks held.")
		return err
	}
	_, err := fmt.Fprintln(w, "\nNOT all checks held.")
	return err
}

func mark(ok bool) string {
	if ok {
		return "yes"
	}
	return "NO"
}
