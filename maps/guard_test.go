// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"errors"
	"maps"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/weir-lb/weir/bpf"
)

func local() netip.AddrPort { return addr("10.0.0.254:3863") }

func limits() Limits {
	return Limits{NewcomersPerSecond: 1000, PerSourcePerSecond: 50, ChallengesPerSecond: 4, PacketsPerHandshake: 64, HandshakeTimeout: 5 * time.Second}
}

func TestWriteParameters(t *testing.T) {
	m := newBareMaps(t)
	must(t, WriteParameters(m, testClock(), limits(), testTimeouts()))
	first := lookup[bpf.WeirParameters](t, m.Settings, uint32(0))
	for _, key := range [][2]uint64{first.SelectKey, first.GuardKey} {
		if key[0] == 0 || key[1] == 0 || key[0] == key[1] {
			t.Errorf("key %x is not random", key)
		}
	}
	if first.SelectKey == first.GuardKey {
		t.Error("both keys are the same")
	}
	const second = uint64(time.Second)
	for i, want := range [][2]uint64{{1_000_000, second - 1_000_000}, {250_000, second - 250_000}, {second / 4, second - second/4}} {
		if got := [2]uint64{first.Rates[i].Interval, first.Rates[i].Burst}; got != want {
			t.Errorf("budget %d: interval and burst %d, want %d", i, got, want)
		}
	}
	if first.HandshakeNs != 5e9 || first.ProvenNs != 30e9 || first.SourcePerSecond != 50 || first.HandshakePackets != 64 {
		t.Errorf("settings %+v", first)
	}

	must(t, WriteParameters(m, testClock(), Limits{}, Timeouts{}))
	rewritten := lookup[bpf.WeirParameters](t, m.Settings, uint32(0))
	if rewritten.SelectKey != first.SelectKey || rewritten.GuardKey != first.GuardKey || rewritten.TupleKey != first.TupleKey {
		t.Error("the keys changed: flows would lose their elements")
	}
	if first.Timeouts != testTimeouts().states(testClock()) || rewritten.Timeouts != (Timeouts{}).states(testClock()) {
		t.Errorf("timeouts %v, then %v", first.Timeouts, rewritten.Timeouts)
	}
	if rewritten.Rates[0].Interval != 0 || rewritten.SourcePerSecond != 0 {
		t.Errorf("no budget must let nothing through: %+v", rewritten)
	}
}

// A quarter of 2^32 and more, times the factor for proven addresses, once wrapped around.
func TestRatesDoNotOverflow(t *testing.T) {
	m := newMaps(t)
	l := limits()
	l.NewcomersPerSecond, l.ChallengesPerSecond, l.ErrorsPerSecond = 1<<30, 1<<32-1, 1<<32-1
	must(t, WriteParameters(m, testClock(), l, testTimeouts()))
	for i, r := range lookup[bpf.WeirParameters](t, m.Settings, uint32(0)).Rates {
		if r.Interval != 1 {
			t.Errorf("budget %d: interval %d ns, want the least, 1", i, r.Interval)
		}
	}
}

// wantGuarded checks which of the protocols are guarded at an address, row and all.
func wantGuarded(t *testing.T, m *bpf.WeirMaps, at netip.AddrPort, protocols ...uint8) {
	t.Helper()
	for _, protocol := range []uint8{6, 17, 33, 132, 136} {
		place := Service{at, protocol}
		if want := slices.Contains(protocols, protocol); hasEndpoint(t, m, place, false) != want {
			t.Errorf("%s: guarded is not %t", place, want)
		} else if want {
			if _, s := service(t, m, place); s.Kind != 1 || addrPort(s.Addr, s.Port) != at || s.Protocol != protocol {
				t.Errorf("%s: row %+v, want it guarded", place, s)
			}
		}
	}
}

func TestGuardOpens(t *testing.T) {
	m := newMaps(t)
	open(t, m, web())
	stale, err := OpenGuard(m, []netip.AddrPort{addr("10.0.0.254:9999")}, nil)
	must(t, err)
	must(t, stale.Admit(addr("10.0.0.254:9999"), []netip.AddrPort{addr("10.0.9.1:40000")}, time.Now().Add(time.Hour)))
	_, err = OpenGuard(m, []netip.AddrPort{local()}, nil)
	must(t, err)
	if n := entries(t, m.Admitted); n != 0 {
		t.Errorf("%d admissions of an earlier agent are there", n)
	}
	want := map[bpf.WeirEndpointKind]int{bpf.WeirEndpointKindENDPOINT_SERVICE: 1, bpf.WeirEndpointKindENDPOINT_GUARDED: 5}
	if got := endpoints(t, m); !maps.Equal(got, want) {
		t.Errorf("endpoints %v, want %v: one service, five protocols with ports", got, want)
	}
	wantGuarded(t, m, local(), 6, 17, 33, 132, 136)
	wantGuarded(t, m, addr("10.0.0.254:9999"))
	if row, s := service(t, m, web()); s.Kind != 2 {
		t.Errorf("the service became %+v in row %d", s, row)
	}
	// And the other way: opening the services leaves the guard alone.
	open(t, m)
	delete(want, bpf.WeirEndpointKindENDPOINT_SERVICE)
	if got := endpoints(t, m); !maps.Equal(got, want) {
		t.Errorf("endpoints %v without services, want %v", got, want)
	}
	wantGuarded(t, m, local(), 6, 17, 33, 132, 136)
}

// Of two addresses one speaks SCTP too.
func TestGuardOfSeveralAddresses(t *testing.T) {
	m := newMaps(t)
	other := addr("[2001:db8::fe]:9902")
	_, err := OpenGuard(m, []netip.AddrPort{local(), other}, []netip.AddrPort{other})
	must(t, err)
	wantGuarded(t, m, local(), 6, 17, 33, 132, 136)
	wantGuarded(t, m, other, 6, 17, 33, 136)
	_, err = OpenGuard(m, []netip.AddrPort{local()}, nil)
	must(t, err)
	wantGuarded(t, m, local(), 6, 17, 33, 132, 136)
	wantGuarded(t, m, other)
}

// Rows are used by the guard and by services, and both give theirs back.
func TestGuardSharesRows(t *testing.T) {
	m := newMaps(t)
	for range 3 { // twelve rows, of which row 0 is none
		_, err := OpenGuard(m, []netip.AddrPort{local()}, nil)
		must(t, err)
		open(t, m, web(), dns(), web6())
		_, err = OpenGuard(m, nil, nil)
		must(t, err)
		open(t, m)
	}
	_, err := OpenGuard(m, []netip.AddrPort{local(), addr("10.0.0.254:9902"), addr("10.0.0.254:9903")}, nil)
	if !errors.Is(err, ErrFull) || err.Error() != "guard udp://10.0.0.254:9903: no room left in the kernel's tables" {
		t.Errorf("twelve places in eleven rows: %v", err)
	}
}

// An earlier agent's row whose endpoint is not there, as after an update that began with a new table.
func TestGuardWithoutEndpointIsPlacedAgain(t *testing.T) {
	m := newMaps(t)
	_, err := OpenGuard(m, []netip.AddrPort{local()}, nil)
	must(t, err)
	for bucket := range m.Endpoints.MaxEntries() {
		must(t, m.Endpoints.Put(bucket, bpf.WeirEndpointBucket{}))
	}
	_, err = OpenGuard(m, []netip.AddrPort{local()}, nil)
	must(t, err)
	wantGuarded(t, m, local(), 6, 17, 33, 132, 136)
}

// What was a service is the registrar's own after a change of the configuration, and the other way.
func TestPlaceChangesHands(t *testing.T) {
	m := newMaps(t)
	was := Service{local(), TCP}
	s := open(t, m, was)
	must(t, s.Apply(was, []Element{element(1, "10.0.0.1:80")}))
	_, err := OpenGuard(m, []netip.AddrPort{local()}, nil)
	must(t, err)
	open(t, m)
	wantGuarded(t, m, local(), 6, 17, 33, 132, 136)
	if got := endpoints(t, m); len(got) != 1 {
		t.Errorf("endpoints %v, want guarded ones only", got)
	}
	_, err = OpenGuard(m, nil, nil)
	must(t, err)
	s = open(t, m, was)
	if row, is := service(t, m, was); is.Kind != 2 || len(s.Rows(was)) != 0 {
		t.Errorf("row %d: %+v, with %v", row, is, s.Rows(was))
	}
}

func TestAdmitAndRevoke(t *testing.T) {
	m := newMaps(t)
	g, err := OpenGuard(m, []netip.AddrPort{local()}, nil)
	must(t, err)
	peers := []netip.AddrPort{addr("10.0.9.1:40000"), addr("[::ffff:10.0.9.2]:40000"), addr("[2001:db8::9]:40000")}
	before := monotonicNow()
	must(t, g.Admit(local(), peers, time.Now().Add(time.Minute)))
	after := monotonicNow()
	for _, ip := range []string{"10.0.9.1", "10.0.9.2", "2001:db8::9"} {
		key := bpf.WeirPeerKey{Addr: address(netip.MustParseAddr(ip)), Port: be16(40000), LocalPort: be16(3863)}
		expires := lookup[uint64](t, m.Admitted, key)
		if minute := uint64(time.Minute); expires > after+minute || expires+uint64(time.Second) < before+minute {
			t.Errorf("%s admitted until %d, want about %d", ip, expires, before+minute)
		}
	}
	must(t, g.Revoke(local(), peers[:1]))
	must(t, g.Revoke(local(), peers[:1])) // it is a stranger already
	if n := entries(t, m.Admitted); n != 2 {
		t.Errorf("%d admissions left, want 2", n)
	}
	must(t, g.Admit(local(), peers[1:], time.Now().Add(-time.Hour)))
	key := bpf.WeirPeerKey{Addr: address(netip.MustParseAddr("10.0.9.2")), Port: be16(40000), LocalPort: be16(3863)}
	if expires := lookup[uint64](t, m.Admitted, key); expires > monotonicNow() {
		t.Error("admitted until an hour ago, and still is")
	}
}
