// SPDX-License-Identifier: Apache-2.0

package asap_test

import (
	"strings"
	"testing"
	"time"

	"github.com/weir-lb/weir/registrar/asap"
	"github.com/weir-lb/weir/registrar/wire"
)

const probe1 = "a <- keep-alive H=false 0x0000f00d web 1"

func TestKeepAlive(t *testing.T) {
	probed := []event{registers(0, "a", "web", 1), passes(15)} // at the latest after 1.5 intervals
	checkRules(t, []rule{
		{"RFC 5352 3.5: not before half an interval", probed[:1], passes(4.99), nil},
		{"RFC 5352 3.5: with the H flag 0", probed[:1], passes(15), []string{probe1}},
		{"not twice while an answer is due", probed, passes(17.9), nil},
		{
			"RFC 5352 3.5: who does not answer is removed, and its session is of no use",
			probed, passes(18),
			[]string{"web: 1 lost", "close a"},
		},
		{"RFC 5352 3.4: who answers stays", append(probed, acks(17, "a", "web", 1)), passes(18), nil},
		{"and is asked again", append(probed, acks(17, "a", "web", 1)), passes(32), []string{probe1}},
		{
			"an answer from another session of the identity proves nothing",
			append(probed, acks(17, "a.2", "web", 1)), passes(18),
			[]string{"web: 1 lost", "close a"},
		},
		{
			"nor does one from somebody else",
			append(probed, acks(17, "b", "web", 1)), passes(18),
			[]string{"web: 1 lost", "close a"},
		},
		{
			"nor one without a proven identity",
			append(probed, acks(17, "nobody", "web", 1)), passes(18),
			[]string{"web: 1 lost", "close a"},
		},
		{"an answer to no question does nothing", probed[:1], acks(1, "a", "web", 1), nil},
		{"nor does one for no element", probed[:1], acks(1, "a", "web", 2), nil},
		{
			"a registration is as good as an answer",
			append(probed, registers(17, "a", "web", 1)), passes(18), nil,
		},
		{
			"the others of the session are away",
			append(probed, registers(16, "a", "db", 2)), passes(18),
			[]string{"web: 1 lost", "db: 2 away", "close a"},
		},
		{
			"whose end then is no news",
			append(probed, registers(16, "a", "db", 2), passes(18)), closes(18.1, "a"), nil,
		},
	})
}

// A registrar that did not run could not hear: who owed an answer or was away then has the same time once more.
func TestForgive(t *testing.T) {
	w := newWorld()
	for _, e := range []event{
		registers(0, "a", "web", 1), registers(0, "b", "web", 2, life(30)), closes(0, "b"), reports(0, "r", "web", 1),
	} {
		w.play(e)
	}
	w.core.Forgive(w.start.Add(25 * time.Second))
	for _, step := range []struct {
		at   float64
		want string
	}{
		{26.9, ""}, {27, "web: 1 up, 2 lost"}, {27.9, ""}, {28, "web: 1 lost|close a"},
	} {
		if got := strings.Join(w.lines(w.play(passes(step.at))), "|"); got != step.want {
			t.Errorf("at %v s: %q, want %q", step.at, got, step.want)
		}
	}
}

// What is forgiven comes later than it would have, and something else may be next.
func TestForgiveMovesTheDeadline(t *testing.T) {
	w := newWorld(func(c *asap.Config) { c.KeepAlive.Interval = 0 })
	w.play(registers(0, "a", "web", 1))
	w.play(registers(0, "b", "web", 2, life(5)))
	w.play(reports(0, "r", "web", 1)) // an answer is due at 3 s
	w.core.Forgive(w.start.Add(4 * time.Second))
	if d := w.core.Deadline().Sub(w.start); d != 5*time.Second {
		t.Errorf("deadline %v, want 5 s: the end of the other's life", d)
	}
}

// RFC 5352 3.5: the time between two keep-alives to the same element varies by plus or minus 50 percent.
func TestKeepAlivesAreSpread(t *testing.T) {
	w := newWorld()
	now := w.start
	w.core.Handle(now, w.identity("a"), &wire.Registration{Pool: "web", Element: element(1)})
	var shortest, longest, sum time.Duration = time.Hour, 0, 0
	const probes = 1000
	for range probes {
		at := w.core.Deadline()
		gap := at.Sub(now)
		shortest, longest, sum = min(shortest, gap), max(longest, gap), sum+gap
		now = at
		if got := w.lines(w.core.Tick(now)); len(got) != 1 || got[0] != probe1 {
			t.Fatalf("at the deadline: %q", got)
		}
		w.core.Handle(now, w.identity("a"), &wire.EndpointKeepAliveAck{Pool: "web", PE: 1})
	}
	mean := sum / probes
	if shortest < interval/2 || shortest > interval*6/10 || longest > interval*3/2 || longest < interval*14/10 {
		t.Errorf("gaps from %v to %v, want about %v to %v", shortest, longest, interval/2, interval*3/2)
	}
	if mean < interval*9/10 || mean > interval*11/10 {
		t.Errorf("mean gap %v, want about %v", mean, interval)
	}
}

func TestDeadline(t *testing.T) {
	w := newWorld(func(c *asap.Config) { c.KeepAlive.Interval = 0 })
	if d := w.core.Deadline(); !d.IsZero() {
		t.Errorf("empty: %v, want none", d)
	}
	w.play(registers(0, "a", "web", 1))
	if d := w.core.Deadline(); !d.IsZero() {
		t.Errorf("no probes, no end of life: %v, want none", d)
	}
	w.play(registers(0, "a", "web", 2, life(60)))
	w.play(registers(0, "b", "web", 3))
	w.play(closes(1, "b"))
	for _, want := range []time.Duration{3 * time.Second, 60 * time.Second} {
		if d := w.core.Deadline().Sub(w.start); d != want {
			t.Errorf("deadline %v, want %v", d, want)
		}
		w.core.Tick(w.core.Deadline())
	}
	if d := w.core.Deadline(); !d.IsZero() {
		t.Errorf("all over: %v, want none", d)
	}
}
