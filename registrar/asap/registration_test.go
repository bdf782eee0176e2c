// SPDX-License-Identifier: Apache-2.0

package asap_test

import (
	"bytes"
	"errors"
	"net/netip"
	"testing"

	"github.com/weir-lb/weir/registrar/asap"
	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

func TestRegistration(t *testing.T) {
	checkRules(t, []rule{
		{
			"RFC 5352 3.1 rule 1: a new pool with its first element",
			nil,
			registers(0, "a", "web", 1),
			[]string{"web: 1 up", "a <- registration R=0 web 1"},
		},
		{
			"RFC 5352 3.1 rule 2: a further element",
			[]event{registers(0, "a", "web", 1)},
			registers(1, "b", "web", 2),
			[]string{"web: 1 up, 2 up", "b <- registration R=0 web 2"},
		},
		{
			"RFC 5352 3.1 rule 2: another policy type, RFC 5354 3.12.6: the pool's policy is the information",
			[]event{registers(0, "a", "web", 1, wrr(3))},
			registers(1, "b", "web", 2),
			[]string{"b <- registration R=1 web 2 cause 0x5 0008000c0000000200000003"},
		},
		{
			"RFC 5352 3.1 rule 2: another weight is the same policy type",
			[]event{registers(0, "a", "web", 1, wrr(3))},
			registers(1, "b", "web", 2, wrr(1)),
			[]string{"web: 1 up, 2 up", "b <- registration R=0 web 2"},
		},
		{
			"RFC 5352 3.1 rule 2: another transport type, RFC 5354 3.12.8: the pool's transport is the information",
			[]event{registers(0, "a", "web", 1)},
			registers(1, "b", "web", 2, sctp(wire.UseDataOnly)),
			[]string{"b <- registration R=1 web 2 cause 0x7 0005001000500000000100080a000001"},
		},
		{
			"RFC 5352 3.1 rule 2: another transport use",
			[]event{registers(0, "a", "web", 1, sctp(wire.UseDataOnly))},
			registers(1, "b", "web", 2, sctp(wire.UseDataControl)),
			[]string{"b <- registration R=1 web 2 cause 0x8"},
		},
		{
			"RFC 5352 3.1 rule 3: a re-registration replaces the attributes",
			[]event{registers(0, "a", "web", 1)},
			registers(1, "a", "web", 1, port(81)),
			[]string{"web: 1 up", "a <- registration R=0 web 1"},
		},
		{
			"RFC 5352 3.1 rule 3: a re-registration with the same attributes changes nothing to see",
			[]event{registers(0, "a", "web", 1)},
			registers(1, "a", "web", 1),
			[]string{"a <- registration R=0 web 1"},
		},
		{
			"RFC 5352 3.1 rule 3: the tests hold for a re-registration, even of the only element",
			[]event{registers(0, "a", "web", 1)},
			registers(1, "a", "web", 1, wrr(2)),
			[]string{"a <- registration R=1 web 1 cause 0x5 0008000800000001"},
		},
		{
			"RFC 5354 3.12.5: the identifier of another identity's element",
			[]event{registers(0, "a", "web", 1)},
			registers(1, "b", "web", 1),
			[]string{"b <- registration R=1 web 1 cause 0x4"},
		},
		{
			"the same identifier in another pool is another element",
			[]event{registers(0, "a", "web", 1)},
			registers(1, "b", "db", 1),
			[]string{"db: 1 up", "b <- registration R=0 db 1"},
		},
		{
			"RFC 5352 3.1 rule 5: an unsupported policy, one for private use",
			nil,
			registers(0, "a", "web", 1, private),
			[]string{"a <- registration R=1 web 1 cause 0x3 00080010b00020020000000000000000"},
		},
		{
			"RFC 5352 3.1 rule 5: an unsupported policy, a number that is not assigned",
			nil,
			registers(0, "a", "web", 1, policed(wire.Policy{Type: 6})),
			[]string{"a <- registration R=1 web 1 cause 0x3 0008000800000006"},
		},
		{
			"RFC 5352 3.1 rule 5: an unsupported policy, an adaptive number that is not assigned",
			nil,
			registers(0, "a", "web", 1, policed(wire.Policy{Type: 0x40000005, Data: []byte{0, 0, 0, 9}})),
			[]string{"a <- registration R=1 web 1 cause 0x3 0008000c4000000500000009"},
		},
		{
			"RFC 5354 3.10: a life of 0 s",
			nil,
			registers(0, "a", "web", 1, life(0)),
			[]string{"a <- registration R=1 web 1 cause 0x3 " +
				"000a0028000000010000000000000000" + "0005001000500000000100080a000001" + "0008000800000001"},
		},
		{
			"RFC 5354 3.10: a negative life that is not -1",
			nil,
			registers(0, "a", "web", 1, life(-2)),
			[]string{"a <- registration R=1 web 1 cause 0x3"},
		},
		{
			"no port to serve at",
			nil,
			registers(0, "a", "web", 1, port(0)),
			[]string{"a <- registration R=1 web 1 cause 0x3 0005001000000000000100080a000001"},
		},
	})
}

func TestAuthorisation(t *testing.T) {
	everywhere := asap.Grant{
		Identity: "a", Pools: []wire.PoolHandle{"web"}, Addresses: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")},
	}
	checkRules(t, []rule{
		{
			"threats 2.1.3: no proof, no state, no answer",
			nil, registers(0, "nobody", "web", 1), nil,
		},
		{
			"threats 2.4.3: an identity without a grant",
			nil, registers(0, "r", "web", 1), []string{"r <- registration R=1 web 1 cause 0xa"},
		},
		{
			"threats 2.4.3: a pool that is not granted",
			nil, registers(0, "a", "bank", 1), []string{"a <- registration R=1 bank 1 cause 0xa"},
		},
		{
			"threats 2.3.2: an address that is not granted",
			nil, registers(0, "a", "web", 1, addrs("10.0.1.1")), []string{"a <- registration R=1 web 1 cause 0xa"},
		},
		{
			"one of several addresses that is not granted",
			nil, registers(0, "a", "web", 1, addrs("10.0.0.1", "2001:db8::1", "2001:db9::1")),
			[]string{"a <- registration R=1 web 1 cause 0xa"},
		},
		{
			"all of several addresses granted",
			nil, registers(0, "a", "web", 1, addrs("10.0.0.1", "2001:db8::1")),
			[]string{"web: 1 up", "a <- registration R=0 web 1"},
		},
		{
			"an IPv4-mapped address is the IPv4 address",
			nil, registers(0, "a", "web", 1, addrs("::ffff:10.0.0.1")),
			[]string{"web: 1 up", "a <- registration R=0 web 1"},
		},
		{
			"a transport without an address could be anywhere",
			nil, registers(0, "a", "web", 1, opaque), []string{"a <- registration R=1 web 1 cause 0xa"},
		},
		{
			"a grant without addresses is for the session's own",
			nil, registers(0, "c", "web", 1, addrs("10.0.0.99")),
			[]string{"web: 1 up", "c <- registration R=0 web 1"},
		},
		{
			"RFC 5352 2.2.1: and for no other",
			nil, registers(0, "c", "web", 1), []string{"c <- registration R=1 web 1 cause 0xa"},
		},
		{
			"a grant of everything is not one of multicast",
			[]event{grantsBecome(0, everywhere)},
			registers(0, "a", "web", 1, addrs("224.0.0.1")),
			[]string{"a <- registration R=1 web 1 cause 0x3 000500100050000000010008e0000001"},
		},
	})
}

func TestGrantsChange(t *testing.T) {
	onlyWeb := asap.Grant{
		Identity: "a", Pools: []wire.PoolHandle{"web"}, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/24")},
	}
	serving := []event{
		registers(0, "a", "web", 1), registers(0, "a", "db", 2), registers(0, "a", "db", 3), registers(0, "b", "web", 4),
	}
	checkRules(t, []rule{
		{
			"what is no longer granted leaves at once",
			serving,
			grantsBecome(1, onlyWeb),
			[]string{
				"db: 2 revoked, 3 revoked", "web: 1 up, 4 revoked",
				"a <- deregistration db 2 cause 0xa", "a <- deregistration db 3 cause 0xa",
				"b <- deregistration web 4 cause 0xa",
			},
		},
		{
			"who is away cannot be told",
			append(serving, closes(1, "b")),
			grantsBecome(2, grantsOfAll()[0]),
			[]string{"web: 1 up, 4 revoked"},
		},
		{
			"the same grants change nothing",
			serving, grantsBecome(1, grantsOfAll()...), nil,
		},
		{
			"and nobody comes back without one",
			append(serving, grantsBecome(1, onlyWeb)),
			registers(2, "b", "web", 4),
			[]string{"b <- registration R=1 web 4 cause 0xa"},
		},
	})
}

func TestLimits(t *testing.T) {
	two := func(c *asap.Config) { c.MaxElementsPerIdentity, c.MaxElements = 2, 3 }
	full := []event{registers(0, "a", "web", 1), registers(0, "a.2", "db", 2)}
	checkRules(t, []rule{
		{
			"RFC 5352 3.1 rule 5: too many elements of an identity, whatever the session",
			full, registers(1, "a.3", "web", 3), []string{"a.3 <- registration R=1 web 3 cause 0x6"},
		},
		{
			"a re-registration needs no room",
			full, registers(1, "a", "web", 1), []string{"a <- registration R=0 web 1"},
		},
		{
			"too many elements in all",
			append(full, registers(1, "b", "web", 3)),
			registers(2, "b", "web", 4),
			[]string{"b <- registration R=1 web 4 cause 0x6"},
		},
		{
			"who leaves makes room",
			append(full, deregisters(1, "a", "web", 1)),
			registers(2, "a", "web", 3),
			[]string{"web: 3 up", "a <- registration R=0 web 3"},
		},
	}, two)
	many := func(e *wire.PoolElement) {
		e.User = wire.Transport{Protocol: wire.ProtocolSCTP, Port: 80}
		for i := range 65 {
			e.User.Addrs = append(e.User.Addrs, netip.AddrFrom4([4]byte{10, 0, 0, byte(i)}))
		}
	}
	checkRules(t, []rule{{
		"more addresses than we keep", nil, registers(0, "a", "web", 1, many),
		[]string{"a <- registration R=1 web 1 cause 0x6"},
	}})
}

func TestRegistrationIsRecorded(t *testing.T) {
	w := newWorld()
	e := element(1, addrs("::ffff:10.0.0.1"))
	e.Home = 0xbad
	e.ASAP = &wire.Transport{Protocol: wire.ProtocolSCTP, Port: 1, Addrs: e.User.Addrs}
	got := w.play(sends(0, "a", &wire.Registration{Pool: "web", Element: e}))[0].(asap.Changed).Pool.Find(1)
	if got.Home != server {
		t.Errorf("RFC 5352 3.1 rule 4: the home is %v, want ours", got.Home)
	}
	if got.ASAP != nil {
		t.Error("the ASAP transport is the element's word, and there is none over TCP")
	}
	if got.User.Addrs[0] != netip.MustParseAddr("10.0.0.1") || e.User.Addrs[0] == got.User.Addrs[0] {
		t.Errorf("address %v (and the message's %v), want plain IPv4 in ours only", got.User.Addrs[0], e.User.Addrs[0])
	}
}

func TestPolicyDataIsBounded(t *testing.T) {
	w := newWorld()
	fat := element(1)
	fat.Policy.Data = bytes.Repeat([]byte{1}, 65)
	actions := w.play(sends(0, "a", &wire.Registration{Pool: "web", Element: fat}))
	r := actions[1].(asap.Send).Message.(*wire.RegistrationResponse)
	if !r.Reject || r.Causes[0].Code != wire.CauseInvalidValues || len(r.Causes[0].Info) != 8+65 {
		t.Errorf("response %+v, want Invalid Values with the policy", r)
	}
}

func TestRefusedSaysWhy(t *testing.T) {
	w := newWorld()
	r := w.play(registers(0, "a", "bank", 7))[0].(asap.Refused)
	var err error = r.Err
	var we *wire.Error
	if r.By.Name() != "a" || r.Key != (handlespace.Key{Pool: "bank", PE: 7}) || !errors.As(err, &we) || we.Reason == "" {
		t.Errorf("refused %+v", r)
	}
}
