// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"os"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/weir-lb/weir/bpf"
	"github.com/weir-lb/weir/maps"
	"github.com/weir-lb/weir/test/packet"
)

// spread applies elements of these weights, whose flows are spread so.
func (f *fixture) spread(s maps.Service, spread maps.Spread, weights map[string]uint32) {
	f.Helper()
	var list []maps.Element
	for at, weight := range weights {
		list = append(list, maps.Element{PE: weight, Addr: addrPort(at), Weight: weight, State: maps.Active})
	}
	must(f, f.steering.ApplyAll([]maps.Selection{{Service: s, Elements: list, Spread: spread}}))
}

// onOneCore keeps this process on one core until the test ends: turns are counted on each.
func onOneCore(t *testing.T) {
	t.Helper()
	var all, one unix.CPUSet
	must(t, unix.SchedGetaffinity(0, &all))
	for cpu := 0; one.Count() == 0; cpu++ {
		if all.IsSet(cpu) {
			one.Set(cpu)
		}
	}
	set := func(to *unix.CPUSet) {
		threads, err := os.ReadDir("/proc/self/task")
		must(t, err)
		for _, thread := range threads {
			id, err := strconv.Atoi(thread.Name())
			must(t, err)
			if err := unix.SchedSetaffinity(id, to); err != nil && !errors.Is(err, unix.ESRCH) { // it may have ended
				t.Fatal(err)
			}
		}
	}
	set(&one)
	t.Cleanup(func() { set(&all) })
}

// Elements that take turns get each its turn, in one order: of a round nobody gets one more or less.
func TestTurnsAreExact(t *testing.T) {
	onOneCore(t)
	f := newFixture(t)
	f.spread(web(), maps.Turns, map[string]uint32{"10.0.20.1:80": 1, "10.0.20.2:80": 2, "10.0.20.3:80": 3})
	const rounds = 20
	before := f.chosen()
	var order []netip.AddrPort
	count := map[string]int{}
	for i := range 6 * rounds {
		at := f.elementOf(t, fmt.Sprintf("10.64.0.1:%d", 1024+i), vip)
		order = append(order, at)
		count[at.String()]++
		if i >= 6 && at != order[i-6] {
			t.Fatalf("flow %d went to %s, six before it to %s", i, at, order[i-6])
		}
	}
	for at, want := range map[string]int{"10.0.20.1:80": rounds, "10.0.20.2:80": 2 * rounds, "10.0.20.3:80": 3 * rounds} {
		if count[at] != want {
			t.Errorf("%s got %d flows, want %d", at, count[at], want)
		}
	}
	for at, n := range f.chosen() {
		if n-before[at] != count[at] {
			t.Errorf("%d flows of %s were counted, want %d", n-before[at], at, count[at])
		}
	}
	// A flow keeps its element, and its packets take no turn.
	first := f.elementOf(t, "10.64.0.1:1024", vip)
	if first != order[0] {
		t.Errorf("the SYN again went to %s, not to %s", first, order[0])
	}
	if next := f.elementOf(t, "10.64.0.1:9000", vip); next != order[0] {
		t.Errorf("a new round began with %s, not with %s", next, order[0])
	}
}

// chosen is what the program counted for each element, on all cores.
func (f *fixture) chosen() map[string]int {
	f.Helper()
	count := map[string]int{}
	for _, row := range f.steering.Rows(web()) {
		var cores []uint64
		must(f, f.maps.Chosen.Lookup(uint32(row.Index), &cores))
		for _, n := range cores {
			count[row.Addr.String()] += int(n)
		}
	}
	return count
}

// An element that is lost before the table is made anew has its turn passed over.
func TestTurnOfLostElement(t *testing.T) {
	f := newFixture(t)
	f.spread(web(), maps.Turns, map[string]uint32{"10.0.20.1:80": 1, "10.0.20.2:80": 1, "10.0.20.3:80": 1})
	f.setRow(addrPort("10.0.20.2:80"), maps.Lost)
	for i := range 30 {
		if at := f.elementOf(t, fmt.Sprintf("10.64.0.1:%d", 1024+i), vip); at == addrPort("10.0.20.2:80") {
			t.Fatalf("flow %d went to the element that is lost", i)
		}
	}
}

func TestRandomSharesByWeight(t *testing.T) {
	f := newFixture(t)
	weights := map[string]uint32{"10.0.20.1:80": 1, "10.0.20.2:80": 3}
	f.spread(web(), maps.Random, weights)
	const flows = 2000
	count, again := map[string]int{}, 0
	for port := range flows {
		from := fmt.Sprintf("10.64.0.1:%d", 1024+port)
		at := f.elementOf(t, from, vip)
		count[at.String()]++
		if at == f.elementOf(t, from, vip) {
			again++
		}
	}
	for at, weight := range weights {
		share := float64(weight) / 4
		mean, deviation := flows*share, math.Sqrt(flows*share*(1-share))
		if off := math.Abs(float64(count[at]) - mean); off > 5.5*deviation { // once in 26 million tests
			t.Errorf("%s of weight %d: %d of %d flows, want %.0f ± %.0f", at, weight, count[at], flows, mean, 5.5*deviation)
		}
	}
	if again != flows {
		t.Errorf("%d of %d flows kept their element", again, flows)
	}
}

// With affinity to the client all its flows to a service go to one element, of both families; those of other
// clients go to others.
func TestAffinityOfClient(t *testing.T) {
	f := newFixture(t)
	key := [2]uint64{0x0123456789abcdef, 0xfedcba9876543210}
	f.change(func(p *bpf.WeirParameters) { p.SelectKey = key })
	f.pool(web(), "10.0.20.1:80", "10.0.20.2:80", "10.0.20.3:80", "10.0.20.4:80")
	must(t, f.steering.Configure(web(), maps.Options{ByClient: true}))
	table := f.selection(web())
	seen := map[netip.AddrPort]bool{}
	for n := range 40 {
		clientAt := fmt.Sprintf("10.64.1.%d", n+1)
		zero := fromClient(tcp(clientAt+":0", vip, packet.SYN, ""))
		want := table[flowHash(key, zero)&math.MaxUint32*maps.SelectionSlots>>32]
		seen[want] = true
		for port := range 5 {
			if at := f.elementOf(t, fmt.Sprintf("%s:%d", clientAt, 1024+port), vip); at != want {
				t.Fatalf("port %d of %s went to %s, want %s", 1024+port, clientAt, at, want)
			}
		}
	}
	if len(seen) != 4 {
		t.Errorf("40 clients went to %d of 4 elements", len(seen))
	}
}

// Who may use a service is asked when a flow begins; the longest prefix decides.
func TestAccess(t *testing.T) {
	f := newFixture(t)
	f.pool(web(), element1)
	f.pool(dns(), element1)
	lists := func(l maps.Lists) { must(t, f.steering.Restrict(web(), l)) }
	prefix := netip.MustParsePrefix
	f.connect()

	lists(maps.Lists{Deny: []netip.Prefix{prefix("10.64.0.0/24")}})
	f.goes("data of a flow that began before", tcp(client, vip, ack, "data"), element1)
	f.returns("and its way back", tcp(element1, client, ack, "data"), vip)
	f.dropped("SYN of a denied client", tcp("10.64.0.1:40001", vip, syn, ""), "steer_denied")
	f.dropped("segment of no flow", tcp("10.64.0.1:40001", vip, ack, "data"), "steer_denied")
	f.goes("SYN of another client", tcp("10.64.1.1:40001", vip, syn, ""), element1)
	f.goes("its datagram to another service", packet.NewUDP("10.64.0.1:40001", vipDNS, []byte("q")), element1)

	ended, err := f.flows.End(map[uint16]func(netip.Addr) bool{f.serviceRow(web()): maps.Lists{Deny: []netip.Prefix{prefix("10.64.0.0/24")}}.Allows})
	if err != nil || ended != 1 {
		t.Errorf("%d flows were ended, %v; want that of the denied client", ended, err)
	}
	f.dropped("data of the flow that was ended", tcp(client, vip, ack, "data"), "steer_denied")
	f.goes("data of the flow of another client", tcp("10.64.1.1:40001", vip, ack, "data"), element1)

	lists(maps.Lists{Allow: []netip.Prefix{prefix("10.64.0.0/16")}, Deny: []netip.Prefix{prefix("10.64.0.0/24")}})
	f.dropped("denied within what is allowed", tcp("10.64.0.9:1", vip, syn, ""), "steer_denied")
	f.goes("allowed", tcp("10.64.7.9:1", vip, syn, ""), element1)
	f.dropped("neither", tcp("10.65.0.9:1", vip, syn, ""), "steer_denied")

	lists(maps.Lists{})
	f.goes("without lists", tcp("10.65.0.9:1", vip, syn, ""), element1)
}
