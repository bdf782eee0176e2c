// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// Whatever the file holds, decoding ends, and every fault has a place and a text
// of one line.
func FuzzDecodeConfig(f *testing.F) {
	for _, seed := range []string{
		"", minimal, full, "registrar: &r {grants: [*r]}", "? {a: b}\n: c", "services: [[], {}, null, 1]", "- a\n- b",
		"flows: {max: 0x, <<: {}}\n", "a: !!binary x", "log_level: !!map {}", "recovery: |\n  1s\n  2s", "\"a\\nb\": 1",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, faults := decodeConfig([]byte(text))
		lines := strings.Count(strings.ReplaceAll(text, "\r", "\n"), "\n") + 2
		err := faults.Join("f")
		if err == nil {
			return
		}
		for fault := range strings.Lines(err.Error()) {
			place := regexp.MustCompile(`^f:(\d+): .`).FindStringSubmatch(fault)
			if place == nil {
				t.Fatalf("%q has no place or no text", fault)
			}
			if line, err := strconv.Atoi(place[1]); err != nil || line < 1 || line > lines {
				t.Errorf("%q of %d lines", fault, lines)
			}
		}
	})
}
