// SPDX-License-Identifier: Apache-2.0

package asap_test

import (
	"net/netip"
	"reflect"
	"testing"

	"github.com/weir-lb/weir/registrar/asap"
	"github.com/weir-lb/weir/registrar/wire"
)

const (
	one   = peer("plain@10.0.0.1/sctp")
	again = peer("plain.2@10.0.0.1/sctp")
	two   = peer("plain@10.0.0.2/sctp")
)

func unsecured(c *asap.Config) { c.Unsecured, c.Grants = true, nil }

// An unsecured registrar takes what rsplib's takes (threats draft 2.15.3: "the entire database MUST be insecure").
func TestUnsecured(t *testing.T) {
	ours := []event{registers(0, one, "web", 1)}
	theirs := []event{learns(0, peerA, "web", 1, speaksASAP)}
	over := then(theirs, takesOver(1, peerA), passes(11))
	checkRules(t, []rule{
		{
			"anybody may register from where he is", nil, registers(0, one, "web", 1),
			[]string{"web: 1 up", string(one) + " <- registration R=0 web 1"},
		},
		{
			"over TCP, too", nil, registers(0, "plain@10.0.0.1", "web", 1),
			[]string{"web: 1 up", "plain@10.0.0.1 <- registration R=0 web 1"},
		},
		{
			"RFC 5352 2.2.1: but not from anywhere else", nil, registers(0, two, "web", 1),
			[]string{string(two) + " <- registration R=1 web 1 cause 0x3 000500100050000000010008" + "0a000001"},
		},
		{
			"RFC 5354 3.12.5: another one's identifier", ours, registers(1, two, "web", 1, addrs("10.0.0.2")),
			[]string{string(two) + " <- registration R=1 web 1 cause 0x4"},
		},
		{
			"an association from the same address may deregister it",
			ours, deregisters(1, again, "web", 1), []string{"web: 1 deregistered", string(again) + " <- deregistration web 1"},
		},
		{
			"RFC 5352 2.2.2: one from elsewhere not", ours, deregisters(1, two, "web", 1),
			[]string{string(two) + " <- deregistration web 1 cause 0xa"},
		},
		{
			"one of another registrar comes to us", theirs, registers(1, one, "web", 1),
			[]string{"web: 1 up", string(one) + " <- registration R=0 web 1"},
		},
		{
			"or leaves here", theirs, deregisters(1, one, "web", 1),
			[]string{"web: 1 deregistered", string(one) + " <- deregistration web 1"},
		},
		{
			"if it is there", theirs, deregisters(1, two, "web", 1),
			[]string{string(two) + " <- deregistration web 1 cause 0xa"},
		},
		{
			"one that we took over is asked where it is", over, reaches(11.1, again, "web", 1),
			[]string{string(again) + " <- keep-alive H=true 0x0000f00d web 1"},
		},
		{
			"and is whoever answers there", then(over, reaches(11.1, again, "web", 1)), acks(11.2, again, "web", 1),
			[]string{"web: 1 up"},
		},
		{"no grant is missed", ours, grantsBecome(1), nil},
		{
			"who speaks TLS and proves nothing is no element here either", nil, registers(0, "anonymous@10.0.0.1", "web", 1),
			[]string{"anonymous@10.0.0.1 <- registration R=1 web 1 cause 0xa"},
		},
		{
			"RFC 5354 3.16: an opaque transport has no address to check", nil, registers(0, one, "web", 1, opaque),
			[]string{"web: 1 up", string(one) + " <- registration R=0 web 1"},
		},
	}, unsecured)
}

// Security is all or nothing: whatever the grants say.
func TestSecuredRegistrarAndThoseWhoProveNothing(t *testing.T) {
	named := func(c *asap.Config) {
		for _, p := range []peer{"anonymous@10.0.0.1", one} {
			c.Grants = append(c.Grants, asap.Grant{
				Identity: string(p.kind().String()) + ":10.0.0.1", Pools: []wire.PoolHandle{"web"},
				Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")},
			})
		}
	}
	ours := []event{registers(0, "a", "web", 1)}
	checkRules(t, []rule{
		{
			"RFC 5352 9.3: no registration", nil, registers(0, one, "web", 1),
			[]string{string(one) + " <- registration R=1 web 1 cause 0xa"},
		},
		{
			"nor if it speaks TLS", nil, registers(0, "anonymous@10.0.0.1", "web", 1),
			[]string{"anonymous@10.0.0.1 <- registration R=1 web 1 cause 0xa"},
		},
		{
			"no deregistration", ours, deregisters(1, "anonymous@10.0.0.1", "web", 1),
			[]string{"anonymous@10.0.0.1 <- deregistration web 1 cause 0xa"},
		},
		{
			"not even of nothing", nil, deregisters(1, "anonymous@10.0.0.1", "web", 1),
			[]string{"anonymous@10.0.0.1 <- deregistration web 1 cause 0xa"},
		},
		{
			"nor of another registrar's", []event{learns(0, peerA, "web", 1)}, deregisters(1, "anonymous@10.0.0.1", "web", 1),
			[]string{"anonymous@10.0.0.1 <- deregistration web 1 cause 0xa"},
		},
		{
			"but it is told what there is", ours, resolves(1, "anonymous@10.0.0.1", "web"),
			[]string{"anonymous@10.0.0.1 <- resolution A=false web 1 round-robin"},
		},
	}, named)
}

// RFC 5352 3.1 rule 4 and 2.2.1: what is recorded of where an element is.
func TestRecordedTransports(t *testing.T) {
	stated := func(port uint16, list ...string) func(*wire.PoolElement) {
		return func(e *wire.PoolElement) {
			e.ASAP = &wire.Transport{Protocol: wire.ProtocolSCTP, Port: port, Use: wire.UseDataControl}
			for _, a := range list {
				e.ASAP.Addrs = append(e.ASAP.Addrs, netip.MustParseAddr(a))
			}
		}
	}
	recorded := func(port uint16, list ...string) *wire.Transport {
		t := &wire.Transport{Protocol: wire.ProtocolSCTP, Port: port}
		for _, a := range list {
			t.Addrs = append(t.Addrs, netip.MustParseAddr(a))
		}
		return t
	}
	type elementOption = func(*wire.PoolElement)
	both := peer("plain@10.0.0.1,2001:db8::1/sctp")
	for _, test := range []struct {
		name string
		from peer
		with []elementOption
		user string
		asap *wire.Transport
	}{
		{"the association's addresses and port", both, nil, "[10.0.0.1]", recorded(5000, "10.0.0.1", "2001:db8::1")},
		{"an IPv4-mapped one is an IPv4 address", "plain@::ffff:10.0.0.1/sctp", nil, "[10.0.0.1]", recorded(5000, "10.0.0.1")},
		{"the port at which it waits", one, []elementOption{stated(7000, "10.0.0.1")}, "[10.0.0.1]", recorded(7000, "10.0.0.1")},
		{
			"no addresses that the association does not have", one,
			[]elementOption{stated(7000, "10.0.0.1", "10.0.0.9")}, "[10.0.0.1]", recorded(7000, "10.0.0.1"),
		},
		{"nor the only one", one, []elementOption{stated(7000, "10.0.0.9")}, "[10.0.0.1]", recorded(7000, "10.0.0.1")},
		{"over TCP none", "plain@10.0.0.1", []elementOption{stated(7000, "10.0.0.1")}, "[10.0.0.1]", nil},
		{
			"user addresses that the association does not have are left out", both,
			[]elementOption{addrs("10.0.0.1", "127.0.0.1", "fe80::1", "2001:db8::1")}, "[10.0.0.1 2001:db8::1]",
			recorded(5000, "10.0.0.1", "2001:db8::1"),
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(unsecured)
			actions := w.play(registers(0, test.from, "web", 1, test.with...))
			c, ok := actions[0].(asap.Changed)
			if !ok {
				t.Fatalf("%q", w.lines(actions))
			}
			e := c.Pool.Find(1)
			if !reflect.DeepEqual(e.ASAP, test.asap) {
				t.Errorf("ASAP transport %+v, want %+v", e.ASAP, test.asap)
			}
			if got := addrLine(e.User.Addrs); got != test.user {
				t.Errorf("user addresses %v, want %v", got, test.user)
			}
		})
	}
}
