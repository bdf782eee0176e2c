// SPDX-License-Identifier: Apache-2.0

package load

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// near tells whether two loads are the same but for rounding.
func near(a, b float64) bool { return math.Abs(a-b) < 1e-9 }

func TestMachineTime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "stat")
	for _, test := range []struct {
		name, text string
		want       usage
		err        string
	}{
		// Guests' 40 and 4 are in user and nice already: counted twice, the sum would be 2,155.
		{"all fields", "cpu  100 10 50 1800 7 3 2 95 40 4\ncpu0 1 1 1 1 1 1 1 1 0 0\n", usage{260, 2067}, ""},
		{"before guests were counted", "cpu 1 2 3 4 5 6 7 8\n", usage{27, 36}, ""},
		{"empty", "", usage{}, "begins with no line"},
		{"another line", "intr 1 2 3 4 5 6 7 8 9\n", usage{}, "begins with no line"},
		{"too short", "cpu 1 2 3 4\n", usage{}, "begins with no line"},
		{"no number", "cpu 1 2 3 x 5 6 7 8\n", usage{}, "invalid syntax"},
	} {
		write(t, path, test.text)
		got, err := machineTime(path)
		if got != test.want || (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: %v, %v, want %v, %q", test.name, got, err, test.want, test.err)
		}
	}
}

func TestGroupTime(t *testing.T) {
	all := float64(runtime.NumCPU())
	at := time.Unix(1000, 0)
	for _, test := range []struct {
		name, stat, limit string
		want              usage
		err               string
	}{
		{"half a processor", "usage_usec 2500000\nuser_usec 1\n", "50000 100000\n", usage{2.5, 500}, ""},
		{"more than there are", "usage_usec 2500000\n", "100000000 100000\n", usage{2.5, 1000 * all}, ""},
		{"no quota", "nr 1\nusage_usec 1000000\n", "max 100000\n", usage{1, 1000 * all}, ""},
		{"controller off", "usage_usec 1000000\n", "", usage{1, 1000 * all}, ""},
		{"no usage", "user_usec 1\n", "", usage{}, "no usage_usec"},
		{"bad quota", "usage_usec 1\n", "many\n", usage{}, "no quota and period"},
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "cpu.stat"), test.stat)
		if test.limit != "" {
			write(t, filepath.Join(dir, "cpu.max"), test.limit)
		}
		got, err := groupTime(dir, at)
		if got != test.want || (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s: %v, %v, want %v, %q", test.name, got, err, test.want, test.err)
		}
	}
}

// What is no quota and period is told in one sentence, with the file's contents.
func TestMalformedQuota(t *testing.T) {
	for _, text := range []string{
		"", "\n", "many\n", "max", "50000\n", "0 100000\n", "50000 0\n", "-1 100000\n", "NaN 100000\n", "50000 inf\n", "1e3 100000\n",
		"50000 x\n", "50000 100000 7\n", "max 100000 7\n", "99999999999999999999 100000\n",
	} {
		path := filepath.Join(t.TempDir(), "cpu.max")
		write(t, path, text)
		want := fmt.Sprintf("%s is no quota and period, both more than 0: %q", path, text)
		if limit, err := groupLimit(filepath.Dir(path)); err == nil || err.Error() != want {
			t.Errorf("%q: limit %v, error %v, want %s", text, limit, err, want)
		}
	}
}

func TestGrowth(t *testing.T) {
	gone := errors.New("gone")
	type reading struct {
		usage usage
		err   error
	}
	for _, test := range []struct {
		name     string
		readings []reading
		want     []float64 // -1: an error
		took     time.Duration
	}{
		{"the first takes a window", []reading{{usage{50, 100}, nil}, {usage{60, 140}, nil}}, []float64{0.25}, firstWindow},
		{"the next do not", []reading{{}, {usage{0, 1}, nil}, {usage{3, 5}, nil}}, []float64{0, 0.75}, firstWindow},
		{"no time has passed: the same", []reading{{}, {usage{1, 2}, nil}, {usage{1, 2}, nil}}, []float64{0.5, 0.5}, firstWindow},
		{"a clock that was set back: the same", []reading{{}, {usage{1, 2}, nil}, {usage{1, 1}, nil}}, []float64{0.5, 0.5}, firstWindow},
		{"more than all is all", []reading{{}, {usage{3, 2}, nil}}, []float64{1}, firstWindow},
		{"a fault", []reading{{usage{}, gone}}, []float64{-1}, 0},
		{
			"a counter that begins anew after a fault", []reading{{}, {usage{9, 10}, nil}, {usage{}, gone}, {}, {usage{3, 4}, nil}},
			[]float64{0.9, -1, 0.75}, 2 * firstWindow,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				sample := growth(func() (usage, error) {
					r := test.readings[0]
					test.readings = test.readings[1:]
					return r.usage, r.err
				})
				for i, want := range test.want {
					got, err := sample(t.Context())
					if want < 0 && !errors.Is(err, gone) || want >= 0 && (err != nil || !near(got, want)) {
						t.Errorf("sample %d: %v, %v, want %v", i, got, err, want)
					}
				}
				if took := time.Since(began); took != test.took {
					t.Errorf("it took %v, want %v", took, test.took)
				}
			})
		})
	}
}

func TestFirstSampleEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := CPU()(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want %v", err, context.Canceled)
	}
}

// The machine's real counters: one busy thread is at least about one processor's share.
func TestCPUSeesABusyLoop(t *testing.T) {
	sample := CPU()
	if _, err := sample(t.Context()); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(400 * time.Millisecond); time.Now().Before(end); {
	}
	got, err := sample(t.Context())
	if least := 0.5 / float64(runtime.NumCPU()); err != nil || got < least || got > 1 {
		t.Errorf("load %v, %v, want %v to 1", got, err, least)
	}
}
