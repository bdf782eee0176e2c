// SPDX-License-Identifier: Apache-2.0

package operate

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf8"
)

// NewTable writes rows with tabs between their cells in columns, when it is flushed.
func NewTable(b *bytes.Buffer) *tabwriter.Writer { return tabwriter.NewWriter(b, 0, 0, 2, ' ', 0) }

// WriteCounts lists what happened, the most frequent first, or nothing.
func WriteCounts(b *bytes.Buffer, title string, counts map[string]uint64) {
	var parts []string
	for _, label := range slices.SortedFunc(maps.Keys(counts), func(x, y string) int {
		return cmp.Or(cmp.Compare(counts[y], counts[x]), strings.Compare(x, y))
	}) {
		if counts[label] > 0 {
			parts = append(parts, fmt.Sprintf("%s %d", label, counts[label]))
		}
	}
	if len(parts) > 0 {
		fmt.Fprintf(b, "%-10s %s\n", title, Wrap(strings.Join(parts, ", "), 89, "\n           "))
	}
}

// Printable is s as it is, or quoted if a terminal should not get it: a pool handle is any bytes.
func Printable(s string) string {
	if utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 {
		return s
	}
	return strconv.Quote(s)
}

// Wrap breaks s at spaces into lines of at most width columns.
func Wrap(s string, width int, newline string) string {
	var b strings.Builder
	column := 0
	for i, word := range strings.Fields(s) {
		switch {
		case i == 0:
		case column+1+len(word) > width:
			b.WriteString(newline)
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += len(word)
	}
	return b.String()
}
