// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"net/netip"
	"testing"
	"time"

	"github.com/weir-lb/weir/bpf"
)

func local() netip.AddrPort { return addr("10.0.0.254:3863") }

func limits() Limits {
	return Limits{NewcomersPerSecond: 1000, PerSourcePerSecond: 50, ChallengesPerSecond: 4, PacketsPerHandshake: 64, HandshakeTimeout: 5 * time.Second}
}

func TestWriteParameters(t *testing.T) {
	m := newMaps(t)
	must(t, WriteParameters(m, limits()))
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

	must(t, WriteParameters(m, Limits{}))
	rewritten := lookup[bpf.WeirParameters](t, m.Settings, uint32(0))
	if rewritten.SelectKey != first.SelectKey || rewritten.GuardKey != first.GuardKey {
		t.Error("the keys changed: flows would lose their elements")
	}
	if rewritten.Rates[0].Interval != 0 || rewritten.SourcePerSecond != 0 {
		t.Errorf("no budget must let nothing through: %+v", rewritten)
	}
}

// A quarter of 2^32 and more, times the factor for proven addresses, once wrapped around.
func TestRatesDoNotOverflow(t *testing.T) {
	m := newMaps(t)
	l := limits()
	l.NewcomersPerSecond, l.ChallengesPerSecond = 1<<30, 1<<32-1
	must(t, WriteParameters(m, l))
	for i, r := range lookup[bpf.WeirParameters](t, m.Settings, uint32(0)).Rates {
		if r.Interval != 1 {
			t.Errorf("budget %d: interval %d ns, want the least, 1", i, r.Interval)
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
	if n := entries(t, m.Endpoints); n != 6 { // one service, five protocols with ports
		t.Errorf("%d endpoints, want 6", n)
	}
	for _, protocol := range []uint8{6, 17, 33, 132, 136} {
		key := bpf.WeirEndpointKey{Addr: be32(local().Addr()), Port: be16(3863), Protocol: protocol}
		if at := lookup[bpf.WeirEndpoint](t, m.Endpoints, key); at.Kind != uint32(bpf.WeirEndpointKindENDPOINT_GUARDED) {
			t.Errorf("protocol %d: %+v, want guarded", protocol, at)
		}
	}
	if at := lookup[bpf.WeirEndpoint](t, m.Endpoints, endpoint(web())); at.Kind != uint32(bpf.WeirEndpointKindENDPOINT_SERVICE) {
		t.Errorf("the service became %+v", at)
	}
	// And the other way: opening the services leaves the guard alone.
	open(t, m)
	if n := entries(t, m.Endpoints); n != 5 {
		t.Errorf("%d endpoints without services, want 5", n)
	}
}

// Of two addresses one speaks SCTP too.
func TestGuardOfSeveralAddresses(t *testing.T) {
	m := newMaps(t)
	other := addr("10.0.0.254:9902")
	_, err := OpenGuard(m, []netip.AddrPort{local(), other}, []netip.AddrPort{other})
	must(t, err)
	if n := entries(t, m.Endpoints); n != 9 {
		t.Errorf("%d endpoints, want five protocols at one address and four at the other", n)
	}
	key := bpf.WeirEndpointKey{Addr: be32(other.Addr()), Port: be16(other.Port()), Protocol: 132}
	if err := m.Endpoints.Lookup(key, new(bpf.WeirEndpoint)); err == nil {
		t.Error("SCTP is guarded where it is spoken")
	}
	_, err = OpenGuard(m, []netip.AddrPort{local()}, nil)
	must(t, err)
	if n := entries(t, m.Endpoints); n != 5 {
		t.Errorf("%d endpoints after one address went, want 5", n)
	}
}

func TestAdmitAndRevoke(t *testing.T) {
	m := newMaps(t)
	g, err := OpenGuard(m, []netip.AddrPort{local()}, nil)
	must(t, err)
	peers := []netip.AddrPort{addr("10.0.9.1:40000"), netip.MustParseAddrPort("[::ffff:10.0.9.2]:40000")}
	before := monotonicNow()
	must(t, g.Admit(local(), peers, time.Now().Add(time.Minute)))
	after := monotonicNow()
	for _, ip := range []string{"10.0.9.1", "10.0.9.2"} {
		key := bpf.WeirPeerKey{Addr: be32(netip.MustParseAddr(ip)), Port: be16(40000), LocalPort: be16(3863)}
		expires := lookup[uint64](t, m.Admitted, key)
		if minute := uint64(time.Minute); expires > after+minute || expires+uint64(time.Second) < before+minute {
			t.Errorf("%s admitted until %d, want about %d", ip, expires, before+minute)
		}
	}
	must(t, g.Revoke(local(), peers[:1]))
	must(t, g.Revoke(local(), peers[:1])) // it is a stranger already
	if n := entries(t, m.Admitted); n != 1 {
		t.Errorf("%d admissions left, want 1", n)
	}
	must(t, g.Admit(local(), peers[1:], time.Now().Add(-time.Hour)))
	key := bpf.WeirPeerKey{Addr: be32(netip.MustParseAddr("10.0.9.2")), Port: be16(40000), LocalPort: be16(3863)}
	if expires := lookup[uint64](t, m.Admitted, key); expires > monotonicNow() {
		t.Error("admitted until an hour ago, and still is")
	}
}
