// SPDX-License-Identifier: Apache-2.0

package hunt

import (
	"bytes"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/netip"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-lb/weir/registrar/multicast"
	"github.com/weir-lb/weir/registrar/wire"
)

func heardNothing() *Announcements {
	return &Announcements{port: 3864, news: make(chan struct{}, 1), hints: map[netip.AddrPort]hint{}}
}

func announced(ts ...wire.Transport) *wire.ServerAnnounce {
	return &wire.ServerAnnounce{Server: 1, Transports: ts}
}

func at(p wire.Protocol, port uint16, list ...string) wire.Transport {
	return wire.Transport{Protocol: p, Port: port, Addrs: addrs(list...)}
}

func TestAnnouncedTargets(t *testing.T) {
	from := netip.MustParseAddr("10.0.0.9")
	const sctp, tcpProtocol = wire.ProtocolSCTP, wire.ProtocolTCP
	for _, test := range []struct {
		name string
		m    *wire.ServerAnnounce
		p    wire.Protocol
		want []Target
	}{
		{"of TCP", announced(at(tcpProtocol, 4000, "10.0.0.1")), tcpProtocol, []Target{tcp("10.0.0.1:4000")}},
		{"of the other protocol", announced(at(tcpProtocol, 4000, "10.0.0.1")), sctp, nil},
		{"of SCTP, with two addresses", announced(at(sctp, 4000, "10.0.0.1", "10.0.1.1")), sctp,
			[]Target{{Protocol: sctp, Remote: netip.MustParseAddrPort("10.0.0.1:4000"), More: addrs("10.0.1.1")}}},
		{"of none: SCTP at the source (RFC 5352 3.6)", announced(), sctp,
			[]Target{{Protocol: sctp, Remote: netip.MustParseAddrPort("10.0.0.9:3864")}}},
		{"of port 0", announced(at(tcpProtocol, 0, "10.0.0.1")), tcpProtocol, nil},
		{"of nowhere", announced(at(tcpProtocol, 4000, "0.0.0.0")), tcpProtocol, nil},
		{"of a group", announced(at(tcpProtocol, 4000, "224.0.0.1")), tcpProtocol, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := heardNothing()
			a.heard(test.m, from, time.Now())
			if got := a.targets(test.p); !reflect.DeepEqual(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestAnnouncementsExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := heardNothing()
		m := announced(at(wire.ProtocolTCP, 4000, "10.0.0.1"))
		for i := range 3 { // T7 restarts
			a.heard(m, netip.Addr{}, time.Now())
			time.Sleep(4 * time.Second)
			if len(a.targets(wire.ProtocolTCP)) != 1 {
				t.Errorf("%d: outdated after 4 s, want 5 s", i)
			}
		}
		time.Sleep(1001 * time.Millisecond)
		if got := a.targets(wire.ProtocolTCP); got != nil {
			t.Errorf("%v is still valid after 5 s", got)
		}
	})
}

func TestAFloodDrivesNobodyOut(t *testing.T) {
	a, now := heardNothing(), time.Now()
	honest := announced(at(wire.ProtocolTCP, 4000, "10.0.0.1"))
	a.heard(honest, netip.Addr{}, now)
	for i := range 1000 {
		a.heard(announced(at(wire.ProtocolTCP, uint16(5000+i), "10.6.6.6")), netip.Addr{}, now)
	}
	if len(a.hints) != maxHints {
		t.Errorf("%d hints, want %d", len(a.hints), maxHints)
	}
	later := now.Add(4 * time.Second)
	a.heard(honest, netip.Addr{}, later)
	if h := a.hints[netip.MustParseAddrPort("10.0.0.1:4000")]; h.until != later.Add(t7ENRPoutdate) {
		t.Error("the registrar that was known first is driven out")
	}
	a.heard(announced(at(wire.ProtocolTCP, 4000, "10.0.0.2")), netip.Addr{}, now.Add(6*time.Second))
	if len(a.hints) != 2 {
		t.Errorf("%d hints after the flood's are outdated, want 2", len(a.hints))
	}
}

func TestHuntWaitsForAnAnnouncement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNetwork(t, map[string]behaviour{"10.0.0.1": refuses, "10.0.0.2": answers})
		a := heardNothing()
		h, err := New(Config[*session]{Registrars: []Registrar{{"10.0.0.1", 3864}}, Dial: n.dial, Hints: a})
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(3*time.Second, func() {
			a.heard(announced(at(wire.ProtocolTCP, 4000, "10.0.0.2")), netip.Addr{}, time.Now())
		})
		found, err := h.Round(t.Context())
		if want := tcp("10.0.0.2:4000"); err != nil || !reflect.DeepEqual(found.Target, want) {
			t.Errorf("found %v, error %v, want %v", found.Target, err, want)
		}
		n.wantDialed("10.0.0.1 0s", "10.0.0.2 3s")
	})
}

// An announcement of the real codec, over a real socket; and garbage before it, which is to change nothing.
func TestHearsTheGroup(t *testing.T) {
	group := netip.AddrPortFrom(netip.MustParseAddr("239.0.0.50"), 38630)
	a, err := Listen(group, "lo", 3863, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	out, err := multicast.Join(multicast.Config{Group: group, Interface: "lo"})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	whole, err := wire.AppendASAP(nil, announced(at(wire.ProtocolTCP, 4000, "10.0.0.1")))
	if err != nil {
		t.Fatal(err)
	}
	other, _ := wire.AppendASAP(nil, &wire.HandleResolution{Pool: "web"})
	for _, b := range [][]byte{{}, {1}, whole[:12], other, whole} {
		if err := out.Send(b); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-a.news:
	case <-time.After(patience):
		t.Fatal("nothing was heard")
	}
	if got, want := a.targets(wire.ProtocolTCP), []Target{tcp("10.0.0.1:4000")}; !reflect.DeepEqual(got, want) {
		t.Errorf("heard %v, want %v", got, want)
	}
}

// faulty is a source that fails some times, then has one
// announcement, then fails once more, and then nothing happens until it is closed.
type faulty struct {
	faults int
	whole  []byte
	calls  int
	closed chan struct{}
}

func (f *faulty) Receive() ([]byte, netip.AddrPort, error) {
	f.calls++
	switch {
	case f.calls <= f.faults || f.calls == f.faults+2:
		return nil, netip.AddrPort{}, syscall.ENETDOWN
	case f.calls == f.faults+1:
		return f.whole, netip.AddrPort{}, nil
	}
	<-f.closed
	return nil, netip.AddrPort{}, fmt.Errorf("read udp: %w", net.ErrClosed)
}

func (f *faulty) Close() error {
	close(f.closed)
	return nil
}

func TestHearsAgainAfterAFault(t *testing.T) {
	whole, err := wire.AppendASAP(nil, announced(at(wire.ProtocolTCP, 4000, "10.0.0.1")))
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		const faults = 60
		began := time.Now()
		var log bytes.Buffer
		f := &faulty{faults: faults, whole: whole, closed: make(chan struct{})}
		a := hear(f, 3863, slog.New(slog.NewTextHandler(&log, nil)))
		select {
		case <-a.news:
		case <-time.After(time.Hour):
			t.Error("nothing was heard")
		}
		if took := time.Since(began); took < faults*deaf {
			t.Errorf("%d faults took %v: nothing paces them", faults, took)
		}
		time.Sleep(deaf)
		if err := a.Close(); err != nil {
			t.Error(err)
		}
		const told = "announcements are not heard"
		if n := strings.Count(log.String(), told); n != 2 { // after it was heard again, a fault is news
			t.Errorf("%q is logged %d times, want 2:\n%s", told, n, &log)
		}
	})
}

func TestCloseDuringAFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		a := hear(&faulty{faults: math.MaxInt - 2, closed: make(chan struct{})}, 3863, slog.New(slog.DiscardHandler))
		synctest.Wait()
		if err := a.Close(); err != nil || time.Since(began) != 0 {
			t.Errorf("error %v after %v", err, time.Since(began))
		}
	})
}

func TestListenNeedsAGroup(t *testing.T) {
	if _, err := Listen(netip.MustParseAddrPort("10.0.0.1:3863"), "lo", 3863, nil); err == nil {
		t.Error("a group that is none is joined")
	}
}

func TestListensOnTheFirstInterfaceThatCan(t *testing.T) {
	const able = net.FlagUp | net.FlagMulticast
	all := []net.Interface{
		{Name: "lo", Flags: able | net.FlagLoopback}, {Name: "down", Flags: net.FlagMulticast}, {Name: "tun", Flags: net.FlagUp},
	}
	if name, err := receiving(all); err == nil {
		t.Errorf("%s is taken", name)
	}
	all = append(all, net.Interface{Name: "eth0", Flags: able}, net.Interface{Name: "eth1", Flags: able})
	if name, err := receiving(all); err != nil || name != "eth0" {
		t.Errorf("%q is taken, error %v, want eth0", name, err)
	}
}
