// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/cilium/ebpf"

	"github.com/weir-lb/weir/agent/nexthop"
	"github.com/weir-lb/weir/bpf"
	"github.com/weir-lb/weir/maps"
)

// oracle is a finder that says what it is told to.
type oracle struct {
	followed []netip.Addr
	answer   *nexthop.Answer
	right    time.Time
}

func (o *oracle) Follow(addrs []netip.Addr)            { o.followed = addrs }
func (o *oracle) News() <-chan struct{}                { return nil }
func (o *oracle) Answer() (*nexthop.Answer, time.Time) { return o.answer, o.right }

// says is right now about one element's hop.
func (o *oracle) says(now time.Time, element string, last byte) {
	hop := maps.Hop{Interface: 7, To: [6]byte{2, 0, 0, 0, 0, last}, MTU: 1500}
	o.answer, o.right = &nexthop.Answer{Hops: map[netip.Addr]maps.Hop{addr(element).Addr(): hop}}, now
}

// newWays is a kernel with a finder.
func newWays(t *testing.T) (*kernel, *oracle) {
	k, o := newKernel(t), &oracle{answer: &nexthop.Answer{}}
	uplinks, err := maps.OpenUplinks(k.maps, maps.NewClock(250, k.tick))
	must(t, err)
	k.ways = ways{finder: o, uplinks: uplinks, names: map[uint32]string{7: "back0"}}
	return k, o
}

// wantHop says which neighbour the row at an address has, 0 for none, and whether hops count.
func (k *kernel) wantHop(when, at string, last byte, count bool) {
	k.t.Helper()
	var hop bpf.WeirHop
	for _, row := range k.steering.Rows(k.services[0].Service) {
		var e bpf.WeirElement
		must(k.t, k.maps.Elements.Lookup(uint32(row.Index), &e))
		if row.Addr == addr(at) {
			hop = e.Hop
		}
	}
	var u bpf.WeirUplinks
	must(k.t, k.maps.Uplinks.Lookup(uint32(0), &u))
	now, err := k.tick.Run(&ebpf.RunOptions{})
	must(k.t, err)
	if hop.Dmac[5] != last || (hop.Ifindex != 0) != (last != 0) || int32(u.Until-now) >= 0 != count {
		k.t.Errorf("%s: the hop is %+v, of tick %d at %d; want neighbour %d, and that it counts: %v", when, hop, u.Until, now, last, count)
	}
}

func TestHopsReachTheRows(t *testing.T) {
	const at = "10.0.11.1:80"
	k, o := newWays(t)
	k.register(1, at)
	k.register(2, "10.0.11.1:81")
	k.ways.follow(k.services)
	if want := []netip.Addr{addr(at).Addr()}; !slices.Equal(o.followed, want) {
		t.Errorf("%v is followed, want %v", o.followed, want)
	}
	k.renewHops(k.now)
	k.wantHop("before anything is known", at, 0, false)
	o.says(k.now, at, 1)
	k.renewHops(k.now)
	k.wantHop("when it is known", at, 1, true)
	if got := k.status()[0].Elements[0].NextHop; got != "back0 02:00:00:00:00:01" {
		t.Errorf("the status has %q", got)
	}
	k.register(1, at) // the row is written again
	k.wantHop("after another registration", at, 1, true)

	must(t, k.configure(configured("10.0.100.1", "10.0.100.2"), k.now))
	k.renewHops(k.now)
	k.wantHop("after a reload", at, 1, true)
	if k.configure(configured("10.0.100.1", "10.0.100.2", "10.0.100.3", "10.0.100.4", "10.0.100.5"), k.now) == nil {
		t.Fatal("there is room for more services than there is")
	}
	k.renewHops(k.now)
	k.wantHop("after a reload that failed", at, 1, true)

	o.says(k.now, at, 2)
	o.right = k.now.Add(-rightFor - time.Second)
	k.renewHops(k.now)
	k.wantHop("when it is not known to be right", at, 2, false)
	o.right = k.now
	k.renewHops(k.now)
	k.wantHop("when it is again", at, 2, true)
	must(t, k.ways.close())
	k.wantHop("at the end", at, 2, false)
}

// The heartbeat comes every second, whatever else there is to do, and none comes without a finder.
func TestHeartbeat(t *testing.T) {
	k, o := newWays(t)
	o.says(k.now, "10.0.11.1:80", 1)
	k.sweepEvery = time.Hour
	k.swept = k.now
	k.tickAt(0)
	if next := k.deadline(); !next.Equal(k.now.Add(renewEvery)) {
		t.Errorf("the next is due at %v, want %v", next, k.now.Add(renewEvery))
	}
	k.tickAt(renewEvery)
	if !k.ways.renewed.Equal(k.now) {
		t.Errorf("renewed at %v, want %v", k.ways.renewed, k.now)
	}
	k.ways = ways{}
	if next := k.deadline(); next.Before(k.now.Add(time.Minute)) {
		t.Errorf("without a finder the next is due at %v", next)
	}
}

// tickAt lets time pass, and does what is due.
func (k *kernel) tickAt(d time.Duration) {
	k.now = k.now.Add(d)
	k.reconciler.tick(k.now)
}
