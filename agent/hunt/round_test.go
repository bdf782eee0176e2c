// SPDX-License-Identifier: Apache-2.0

package hunt

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestRound(t *testing.T) {
	const a, b, c, d = "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"
	type does = map[string]behaviour
	for _, test := range []struct {
		name   string
		does   does
		hosts  []string
		found  string // "": nobody
		after  time.Duration
		dialed []string
	}{
		{"the first answers", does{a: answers, b: answers}, []string{a, b}, a, 0, []string{a + " 0s"}},
		{"the first refuses", does{a: refuses, b: answers}, []string{a, b}, b, 0, []string{a + " 0s", b + " 0s"}},
		{"the first is slow, but first", does{a: answers.in(300 * time.Millisecond)}, []string{a, b}, a, 300 * time.Millisecond,
			[]string{a + " 0s", b + " 250ms"}},
		{"the first is slower than the second", does{a: answers.in(time.Second), b: answers.in(100 * time.Millisecond)}, []string{a, b},
			b, 350 * time.Millisecond, []string{a + " 0s", b + " 250ms"}},
		{"no more than three at once", does{d: answers}, []string{a, b, c, d}, "", 10 * time.Second,
			[]string{a + " 0s", b + " 250ms", c + " 500ms"}},
		{"a place becomes free", does{b: refuses.in(time.Second), d: answers}, []string{a, b, c, d}, d, 1250 * time.Millisecond,
			[]string{a + " 0s", b + " 250ms", c + " 500ms", d + " 1.25s"}},
		{"all refuse", does{a: refuses, b: refuses}, []string{a, b}, "", 0, []string{a + " 0s", b + " 0s"}},
		{"a name with a silent address", does{c: answers}, []string{"two.example"}, c, 250 * time.Millisecond,
			[]string{b + " 0s", c + " 250ms"}},
		{"a name beyond ASCII", does{c: answers}, []string{"Bücher.example"}, c, 0, []string{c + " 0s"}},
		{"an unknown name", does{a: answers}, []string{"no.example", a}, a, 0, []string{a + " 0s"}},
		{"nothing but an unknown name", nil, []string{"no.example"}, "", 0, nil},
		{"the same address twice", does{a: refuses}, []string{a, a}, "", 0, []string{a + " 0s"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNetwork(t, test.does)
				n.names["two.example"], n.names["xn--bcher-kva.example"] = addrs(b, c), addrs(c)
				found, err := n.hunter(test.hosts...).Round(t.Context())
				if after := time.Since(n.began); after != test.after {
					t.Errorf("it took %v, want %v", after, test.after)
				}
				n.wantDialed(test.dialed...)
				if n.most > 3 {
					t.Errorf("%d attempts at once, RFC 5352 3.6 SH1 has three", n.most)
				}
				var none *Error
				if test.found == "" {
					n.wantOpen(0)
					if !errors.As(err, &none) {
						t.Errorf("error %v, want an *Error", err)
					}
					return
				}
				n.wantOpen(1)
				if err != nil || found.Target.Remote.Addr().String() != test.found {
					t.Errorf("found %v, error %v, want %s", found.Target, err, test.found)
				}
			})
		})
	}
}

// RFC 5352 3.6 SH1 counts the session with the home registrar too.
func TestSessionsTakePlaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, nil)
		if _, err := n.hunter("10.0.0.1", "10.0.0.2", "10.0.0.3").RoundBeside(t.Context(), 1); err == nil {
			t.Error("somebody was found")
		}
		n.wantDialed("10.0.0.1 0s", "10.0.0.2 250ms")
	})
}

// Two that answer in the same moment: one is closed.
func TestOnlyOneSessionIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, map[string]behaviour{"10.0.0.1": answers.in(350 * time.Millisecond), "10.0.0.2": answers.in(100 * time.Millisecond)})
		if _, err := n.hunter("10.0.0.1", "10.0.0.2").Round(t.Context()); err != nil {
			t.Error(err)
		}
		n.wantOpen(1)
	})
}

func TestRoundEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, nil)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := n.hunter("10.0.0.1").Round(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want the context's", err)
		}
		n.wantDialed("10.0.0.1 0s")
	})
}

func TestFailuresAreRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, map[string]behaviour{"10.0.0.1": refuses, "10.0.0.2": answers})
		h := n.hunter("10.0.0.1", "10.0.0.2")
		round := func() Target {
			t.Helper()
			found, err := h.Round(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return found.Target
		}
		round()
		n.wantDialed("10.0.0.1 0s", "10.0.0.2 0s")
		time.Sleep(time.Second)
		n.wantDialed()
		found := round()
		n.wantDialed("10.0.0.2 0s") // the first is not asked again

		h.Failed(found) // after the first: that one's turn again
		n.does["10.0.0.1"] = answers
		round()
		n.wantDialed("10.0.0.1 0s")

		time.Sleep(failedFor + time.Second) // all is forgotten
		n.wantDialed()
		round()
		n.wantDialed("10.0.0.1 0s")
	})
}

// RFC 5352 3.6 SH5: T5 doubles up to RETRAN.max, and the next set of addresses is another one.
func TestT5DoublesAndTheNextSetIsAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, map[string]behaviour{})
		h := n.hunter("10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4")
		for i, want := range []struct {
			lasts time.Duration
			first string
		}{
			{10 * time.Second, "10.0.0.1 0s"}, {20 * time.Second, "10.0.0.4 0s"}, {40 * time.Second, "10.0.0.3 0s"},
			{60 * time.Second, ""}, {60 * time.Second, ""},
		} {
			_, err := h.Round(t.Context())
			if err == nil || !strings.Contains(err.Error(), "no answer within "+want.lasts.String()) {
				t.Errorf("round %d: error %v", i, err)
			}
			if lasted := time.Since(n.began); lasted != want.lasts {
				t.Errorf("round %d lasted %v, want %v", i, lasted, want.lasts)
			}
			if want.first != "" && n.dialed[0] != want.first {
				t.Errorf("round %d dialed %v first, want %s", i, n.dialed, want.first)
			}
			n.dialed, n.began = nil, time.Now()
		}
		n.does["10.0.0.1"] = answers
		if _, err := h.Hunt(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		if h.t5 != t5Serverhunt {
			t.Errorf("T5 is %v after a success, want %v (SH3)", h.t5, t5Serverhunt)
		}
	})
}

func TestHuntWaitsBetweenRounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, map[string]behaviour{"10.0.0.1": refuses})
		_, err := n.hunter("10.0.0.1").Hunt(t.Context(), 5)
		const want = "no registrar serves us: 10.0.0.1:3864: refused"
		if !errors.Is(err, errRefused) || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
		if len(n.dialed) != 5 {
			t.Errorf("dialed %v, want five times", n.dialed)
		}
		if took := time.Since(n.began); took < 4*minRetry || took > 1500*time.Millisecond {
			t.Errorf("five refusals took %v, want four waits of at most 100, 200, 400 and 800 ms", took)
		}
	})
}

func TestHuntEndsInAWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, map[string]behaviour{"10.0.0.1": refuses})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		if _, err := n.hunter("10.0.0.1").Hunt(ctx, 0); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("error %v, want the context's", err)
		}
	})
}

func TestConfigFaults(t *testing.T) {
	if _, err := New(Config[*session]{Registrars: []Registrar{{"a", 1}}}); err == nil {
		t.Error("no Dial is accepted")
	}
	if _, err := New(Config[*session]{Dial: new(network).dial}); err == nil {
		t.Error("no registrar and no hints are accepted")
	}
}
