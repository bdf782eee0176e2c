// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestConclude(t *testing.T) {
	for _, tc := range []struct {
		name string
		do   func(*Check)
		want bool
	}{
		{"nothing shown", func(*Check) {}, false},
		{"all held", func(c *Check) { c.expect(true, "a", "b"); c.expect(true, "a", "b") }, true},
		{"one did not", func(c *Check) { c.expect(true, "a", "b"); c.expect(false, "a", "c"); c.expect(true, "a", "b") }, false},
		{"not carried through", func(c *Check) { c.expect(true, "a", "b"); c.fail(errors.New("no")) }, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var c Check
			tc.do(&c)
			c.conclude()
			if c.OK != tc.want {
				t.Errorf("ok is %t, want %t", c.OK, tc.want)
			}
		})
	}
}

func TestJSON(t *testing.T) {
	c := Check{Name: "enrol"}
	c.expect(true, "4 elements", "%d", 4)
	c.expect(true, "no error", "none")
	c.conclude()
	var out bytes.Buffer
	if err := (Report{OK: true, Checks: []Check{c}}).WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	check := got["checks"].([]any)[0].(map[string]any)
	want := map[string]any{"name": "enrol", "ok": true, "expected": "4 elements; no error", "seen": "4; none"}
	if len(check) != len(want) {
		t.Errorf("check has %v", check)
	}
	for k, v := range want {
		if check[k] != v {
			t.Errorf("%s is %v, want %v", k, check[k], v)
		}
	}
}

func TestTableNamesWhatDidNotHold(t *testing.T) {
	c := Check{Name: "drain"}
	c.expect(true, "this holds", "it did")
	c.expect(false, "and this does not", "it %s", "failed")
	c.conclude()
	var out bytes.Buffer
	if err := (Report{Checks: []Check{c}}).WriteTable(&out); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"CHECK  HELD  EXPECTED           SEEN",
		"drain  yes   this holds         it did",
		"       NO    and this does not  it failed",
		"",
		"NOT all checks held.",
	}
	if got := strings.Split(strings.TrimRight(out.String(), "\n"), "\n"); !slices.Equal(got, want) {
		t.Errorf("table:\n%s\nwant:\n%s", out.String(), strings.Join(want, "\n"))
	}
}

func TestWrap(t *testing.T) {
	for _, tc := range []struct {
		text string
		want []string
	}{
		{"", []string{""}},
		{"short", []string{"short"}},
		{"ten chars and more", []string{"ten chars", "and more"}},
		{"360±57 240±52", []string{"360±57", "240±52"}},
		{"averylongword x", []string{"averylongword", "x"}},
	} {
		if got := wrap(tc.text, 10); !slices.Equal(got, tc.want) {
			t.Errorf("wrap(%q) = %q, want %q", tc.text, got, tc.want)
		}
	}
}

// The bounds are those of a binomial distribution: 840 requests, shares of 3, 2, 1 and 1 in 7.
func TestShares(t *testing.T) {
	answers := func(n ...int) map[string]int {
		m := map[string]int{}
		for i, count := range n {
			m[serverName(i)] = count
		}
		return m
	}
	for _, tc := range []struct {
		name    string
		answers map[string]int
		want    bool
	}{
		{"exact", answers(360, 240, 120, 120), true},
		{"within", answers(400, 220, 100, 120), true},
		{"equal shares", answers(210, 210, 210, 210), false},
		{"one server too much", answers(418, 200, 111, 111), false},
		{"one server missing", answers(420, 300, 120), false},
		{"a stranger answers", map[string]int{"server-1": 360, "server-2": 240, "server-3": 120, "server-4": 119, "x": 1}, false},
	} {
		if got := sharesHold(tc.answers); got != tc.want {
			t.Errorf("%s: %t, want %t", tc.name, got, tc.want)
		}
	}
}
