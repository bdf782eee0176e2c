// SPDX-License-Identifier: Apache-2.0

package nexthop

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/weir-lb/weir/maps"
)

// patience bounds every wait for something that does happen.
const patience = 15 * time.Second

// running is a finder that runs in a gateway, and what it logs.
type running struct {
	*gateway
	finder *Finder
	log    *syncBuffer
	stop   func()
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// run starts a finder that follows these addresses.
func (g *gateway) run(addrs ...netip.Addr) *running {
	g.Helper()
	r := &running{gateway: g, log: &syncBuffer{}}
	g.inside(func() (err error) {
		r.finder, err = Open(Config{Interfaces: g.ours(), Log: slog.New(slog.NewTextHandler(r.log, nil))})
		return err
	})
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		if err := r.finder.Run(ctx); err != nil {
			g.Error(err)
		}
	})
	r.stop = sync.OnceFunc(func() { cancel(); done.Wait(); must(g.T, r.finder.Close()) })
	g.Cleanup(r.stop)
	r.finder.Follow(addrs)
	return r
}

// await waits until the answer is as it should be, and returns how long that took.
func (r *running) await(what string, good func(*Answer) bool) time.Duration {
	r.Helper()
	began := time.Now()
	for {
		answer, _ := r.finder.Answer()
		if good(answer) {
			return time.Since(began)
		}
		select {
		case <-r.finder.News():
		case <-time.After(patience - time.Since(began)):
			r.Fatalf("%s: not within %v; the answer is %+v\n%s", what, patience, answer, r.log)
		}
	}
}

// farMAC is the address of the other end of an interface.
func (g *gateway) farMAC(n int) (mac [6]byte) {
	g.Helper()
	must(g.T, g.far.Do(func() error {
		l, err := netlink.LinkByName(g.links[n].Attrs().Name)
		if err == nil {
			copy(mac[:], l.Attrs().HardwareAddr)
		}
		return err
	}))
	return mac
}

func (g *gateway) setFarMAC(n int, mac [6]byte) {
	g.Helper()
	must(g.T, g.far.Do(func() error {
		l, err := netlink.LinkByName(g.links[n].Attrs().Name)
		if err != nil {
			return err
		}
		return netlink.LinkSetHardwareAddr(l, net.HardwareAddr(mac[:]))
	}))
}

// wantHop is a hop by an interface to its other end.
func (g *gateway) wantHop(n int) maps.Hop {
	h := maps.Hop{Interface: uint32(g.index(n)), To: g.farMAC(n), MTU: 1500}
	copy(h.From[:], g.links[n].Attrs().HardwareAddr)
	return h
}

func addrOf(s string) netip.Addr { return netip.MustParseAddr(s) }

// The finder follows what changes: routes, links, their MTU, rules, the neighbour's address, who is followed;
// neighbours are resolved before any packet needs them.
func TestFinderFollows(t *testing.T) {
	g := newGateway(t)
	direct, direct6, behind := addrOf("10.0.1.1"), addrOf("2001:db8:2::1"), addrOf("10.9.0.1")
	r := g.run(direct, direct6)
	hop := func(what string, addr netip.Addr, want maps.Hop) time.Duration {
		t.Helper()
		want.Router = addr == behind
		return r.await(what, func(a *Answer) bool { return a.Hops[addr] == want })
	}
	hop("an element on the link", direct, g.wantHop(1))
	hop("an element on the link, IPv6", direct6, g.wantHop(2))
	r.finder.Follow([]netip.Addr{direct, direct6, behind})
	must(t, g.node.Route(netip.MustParsePrefix("10.9.0.0/16"), addrOf("10.0.2.1")))
	hop("an element behind a router", behind, g.wantHop(2))
	must(t, g.node.Route(netip.MustParsePrefix("10.9.0.0/16"), addrOf("10.0.3.1")))
	hop("another route", behind, g.wantHop(3))
	r.await("the way to clients", func(a *Answer) bool {
		return slices.Contains(a.V4, maps.Uplink{Prefix: netip.MustParsePrefix("10.9.0.0/16"), Hop: g.wantHop(3)})
	})
	g.inside(func() error {
		return netlink.RouteReplace(&netlink.Route{Dst: ipNet(netip.MustParsePrefix("10.9.0.0/16")), Gw: net.IPv4(10, 0, 3, 1), MTU: 1300, MTULock: true})
	})
	small := g.wantHop(3)
	small.MTU = 1300
	hop("the MTU of a route", behind, small)
	g.inside(func() error { return netlink.LinkSetMTU(g.links[2], 1400) })
	small = g.wantHop(2)
	small.MTU = 1400
	hop("the MTU of a link", direct6, small)
	must(t, g.node.Block(netip.MustParsePrefix("10.64.0.0/16"), netip.MustParsePrefix("10.65.0.0/16")))
	hop("a rule", direct, maps.Hop{})
	hop("a rule of the other family", direct6, small)
	must(t, g.node.Unblock(netip.MustParsePrefix("10.64.0.0/16"), netip.MustParsePrefix("10.65.0.0/16")))
	hop("no rule", direct, g.wantHop(1))
	must(t, g.node.SetLink("if1", false))
	hop("a link that is down", direct, maps.Hop{})
	must(t, g.node.SetLink("if1", true))
	hop("a link that is up", direct, g.wantHop(1))
	must(t, g.node.Sysctl("net.ipv4.ip_forward", "0"))
	hop("no forwarding", direct, maps.Hop{})
	must(t, g.node.Sysctl("net.ipv4.ip_forward", "1"))
	hop("forwarding", direct, g.wantHop(1))
	r.finder.Follow([]netip.Addr{direct})
	r.await("one that is not followed any more", func(a *Answer) bool { return len(a.Hops) == 1 })
}

// A neighbour that takes another address without a word is found there; one that does not answer any more is
// no next hop, which is said once, until it answers again.
func TestSilentNeighbours(t *testing.T) {
	g := newGateway(t)
	must(t, g.far.Sysctl("net.ipv4.conf.all.arp_notify", "0")) // else the far kernel tells
	must(t, g.far.Sysctl("net.ipv6.conf.all.ndisc_notify", "0"))
	one, two := addrOf("10.0.1.1"), addrOf("2001:db8:2::1")
	r := g.run(one, two)
	both := func(a *Answer) bool { return a.Hops[one] == g.wantHop(1) && a.Hops[two] == g.wantHop(2) }
	r.await("both are known", both)
	g.setFarMAC(1, [6]byte{2, 0, 0, 9, 9, 1})
	g.setFarMAC(2, [6]byte{2, 0, 0, 9, 9, 2})
	took := r.await("both are found where they are", both)
	t.Logf("found after %v", took)
	must(t, g.far.SetLink("if1", false)) // no answer, and no carrier
	r.await("no carrier", func(a *Answer) bool { return a.Hops[one] == maps.Hop{} })
	must(t, g.far.SetLink("if1", true))
	r.await("it is back", both)
	must(t, g.far.Sysctl("net.ipv4.conf.if1.arp_ignore", "8"))
	r.await("it does not answer", func(a *Answer) bool { return a.Hops[one] == maps.Hop{} && a.Hops[two] == g.wantHop(2) })
	must(t, g.far.Sysctl("net.ipv4.conf.if1.arp_ignore", "0"))
	r.await("it answers again", both)
	for text, want := range map[string]int{"does not answer": 1, "answers again": 1} {
		if n := strings.Count(r.log.String(), text+"\" neighbour=10.0.1.1 interface=if1"); n < want {
			t.Errorf("%q %d times, want %d:\n%s", text, n, want, r.log)
		}
	}
}

// What others have made of a neighbour stays; what is ours is not managed any more when the finder ends, also
// by a finder that died, and still is there for packets that are on their way.
func TestNeighboursAtTheEnd(t *testing.T) {
	g := newGateway(t)
	fixed := addrOf("10.0.2.1")
	g.neighbor(2, fixed, 7, netlink.NUD_PERMANENT)
	k := g.openKernel()
	left := target{g.index(3), addrOf("10.0.3.1")} // by one that died
	must(t, k.manage(left, neighbor{}))
	one := addrOf("10.0.1.1")
	r := g.run(one, fixed, addrOf("10.0.1.77"))
	r.await("both are known", func(a *Answer) bool { return len(a.Hops) == 2 && a.Hops[one] == g.wantHop(1) })
	state := func(at target) neighbor {
		t.Helper()
		all, err := k.neighbors(r.finder.ours)
		must(t, err)
		return all[at]
	}
	managed := target{g.index(1), one}
	if n := state(managed); !n.managed || n.protocol != protocol {
		t.Errorf("the neighbour is not managed: %+v", n)
	}
	if n := state(left); n.managed {
		t.Errorf("what a dead finder left is still managed: %+v", n)
	}
	if n := state(target{g.index(2), fixed}); n.state != unix.NUD_PERMANENT || n.managed {
		t.Errorf("a permanent neighbour was changed: %+v", n)
	}
	r.stop()
	if n := state(managed); n.managed || !n.resolved() {
		t.Errorf("after the end the neighbour is %+v", n)
	}
	if n := state(target{g.index(1), addrOf("10.0.1.77")}); n != (neighbor{}) {
		t.Errorf("after the end one that never answered is there: %+v", n)
	}
}
