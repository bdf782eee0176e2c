// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"github.com/weir-lb/weir/bpf"
	"github.com/weir-lb/weir/maps"
)

// stranger is the n-th of many sources, so that no budget of one source is met.
func stranger(n int) string {
	return fmt.Sprintf("10.%d.%d.%d:40000", 64+n>>16, n>>8&0xff, n&0xff)
}

// synsOf counts the verdicts over SYNs of n different strangers.
func (f *fixture) synsOf(n int) map[string]int {
	f.Helper()
	verdicts := map[string]int{}
	for i := range n {
		verdicts[f.run("cl", fromClient(tcp(stranger(i), registrar, syn, "")).Frame()).verdict]++
	}
	return verdicts
}

// Each budget lets its burst through at once and then, within a time in which nothing is due,
// nothing more.
func TestBudgetsAreSpentOneAfterAnother(t *testing.T) {
	f := newFixture(t)
	hour := uint64(time.Hour)
	f.change(func(p *bpf.WeirParameters) {
		p.Rates[bpf.WeirBudgetBUDGET_NEWCOMERS].Interval, p.Rates[bpf.WeirBudgetBUDGET_NEWCOMERS].Burst = hour, 9*hour
		p.Rates[bpf.WeirBudgetBUDGET_CHALLENGES].Interval, p.Rates[bpf.WeirBudgetBUDGET_CHALLENGES].Burst = hour, 4*hour
	})
	want := map[string]int{"guard_newcomer": 10, "guard_challenged": 5, "guard_global_spent": 15}
	if got := f.synsOf(30); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("30 SYNs: %v, want %v", got, want)
	}
}

// The budgets in packets a second, as the agent sets them.
func TestASecondsWorthMayComeAtOnce(t *testing.T) {
	f := newFixture(t)
	for {
		must(t, maps.WriteParameters(f.maps, maps.Clock{Hertz: 250, Shift: 8}, maps.Limits{
			NewcomersPerSecond: 5, PerSourcePerSecond: 50, PacketsPerHandshake: 9, HandshakeTimeout: time.Minute,
		}, maps.Timeouts{}))
		f.forget()
		began := time.Now()
		got := f.synsOf(20)
		if time.Since(began) > 190*time.Millisecond { // one more was due
			continue
		}
		want := map[string]int{"guard_newcomer": 5, "guard_global_spent": 15}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("20 SYNs: %v, want %v", got, want)
		}
		return
	}
}

// Over any time t since the first packet, never more than rate * t and the burst get through; under
// a flood, not fewer than rate * t either.
func TestBudgetOverTime(t *testing.T) {
	f := newFixture(t)
	for _, tt := range []struct{ interval, burst time.Duration }{
		{5 * time.Millisecond, 0}, {time.Millisecond, 30 * time.Millisecond}, {500 * time.Microsecond, 40 * time.Millisecond},
	} {
		t.Run(fmt.Sprintf("one in %s, %s ahead", tt.interval, tt.burst), func(t *testing.T) {
			sub := *f
			sub.TB = t
			sub.forget()
			sub.change(func(p *bpf.WeirParameters) {
				p.SourcePerSecond = 1<<32 - 1
				p.Rates[bpf.WeirBudgetBUDGET_NEWCOMERS].Interval = uint64(tt.interval)
				p.Rates[bpf.WeirBudgetBUDGET_NEWCOMERS].Burst = uint64(tt.burst)
				p.Rates[bpf.WeirBudgetBUDGET_CHALLENGES].Interval = 0
			})
			sub.flood(uint64(tt.interval), uint64(tt.burst))
		})
	}
}

// tick is more than the step of the program's clock on any kernel (CONFIG_HZ of 100 and more).
const tick = uint64(10 * time.Millisecond)

// flood sends SYNs for 0.2 s. The program's clock stands still within a tick; its reading lies
// between those of the same clock before and after a run.
func (f *fixture) flood(interval, burst uint64) {
	opts := ebpf.RunOptions{Data: fromClient(tcp(client, registrar, syn, "")).Frame()}
	first := coarse()
	passed, unused, before, after := uint64(0), uint64(0), first, first
	f.inside(func() error {
		for before < first+uint64(200*time.Millisecond) {
			last := before
			before = coarse()
			ret, err := f.program.Run(&opts)
			if err != nil {
				return err
			}
			after = coarse()
			if gap := after - last + tick; gap > burst+interval {
				unused += gap - burst - interval // more than the bucket holds, because nothing was sent
			}
			if action(ret) != pass {
				continue
			}
			if passed++; passed > (after-first+burst)/interval+1 {
				return fmt.Errorf("%d of one in %d ns passed within %d ns, with a burst of %d ns", passed, interval, after-first, burst)
			}
		}
		return nil
	})
	if sent := before - first; sent > unused && passed < (sent-unused)/interval {
		f.Errorf("only %d of one in %d ns passed within %d ns, of which %d ns may have been lost", passed, interval, sent, unused)
	}
	if passed == 0 {
		f.Error("nothing passed")
	}
}

// A source is counted by the second, whatever the budget of all; others are not.
func TestSourceBudget(t *testing.T) {
	f := newFixture(t)
	for {
		f.change(func(p *bpf.WeirParameters) { p.SourcePerSecond = 5; p.GuardKey[0]++ }) // another key, other cells
		f.forget()
		second := coarse() / uint64(time.Second)
		got := map[string]int{}
		for port := range 9 {
			got[f.run("cl", fromClient(tcp(fmt.Sprintf("10.64.0.1:%d", 1+port), registrar, syn, "")).Frame()).verdict]++
		}
		other := f.run("cl", fromClient(tcp("10.64.0.2:1", registrar, syn, "")).Frame())
		inFlow := f.run("cl", fromClient(tcp("10.64.0.1:1", registrar, ack, "")).Frame())
		if coarse()/uint64(time.Second) != second {
			continue
		}
		want := map[string]int{"guard_newcomer": 5, "guard_source_spent": 4}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("9 SYNs of one source: %v, want %v", got, want)
		}
		if other.verdict != "guard_newcomer" {
			t.Errorf("another source: %s", other.verdict)
		}
		if inFlow.verdict != "guard_handshake" {
			t.Errorf("a connection of the source that got in: %s", inFlow.verdict)
		}
		return
	}
}

// What earlier seconds left in the sketch does not count, whichever cells a source meets.
func TestSourceBudgetForgetsEarlierSeconds(t *testing.T) {
	f := newFixture(t)
	n := int(f.maps.Sketch.MaxEntries())
	keys, cells := make([]uint32, n), make([]bpf.WeirSketchCell, n)
	earlier := uint32(coarse()/uint64(time.Second)) - 1
	for i := range keys {
		keys[i], cells[i] = uint32(i), bpf.WeirSketchCell{Epoch: earlier, Count: 1 << 20}
	}
	_, err := f.maps.Sketch.BatchUpdate(keys, cells, nil)
	must(t, err)
	f.passes("SYN", tcp(client, registrar, syn, ""), "guard_newcomer")
}

// The next second begins anew; the program's clock is waited for, not slept for.
func TestSourceBudgetComesBack(t *testing.T) {
	f := newFixture(t)
	f.change(func(p *bpf.WeirParameters) { p.SourcePerSecond = 1 })
	p := fromClient(tcp(client, registrar, syn, "")).Frame()
	f.run("cl", p)
	deadline := time.Now().Add(5 * time.Second)
	spent := false
	for time.Now().Before(deadline) {
		switch f.run("cl", p).verdict {
		case "guard_source_spent":
			spent = true
		case "guard_newcomer":
			if spent {
				return
			}
		}
	}
	t.Error("a source whose budget was spent stays so")
}
