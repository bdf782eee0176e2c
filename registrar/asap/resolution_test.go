// SPDX-License-Identifier: Apache-2.0

package asap_test

import (
	"net/netip"
	"testing"

	"github.com/weir-lb/weir/registrar/asap"
	"github.com/weir-lb/weir/registrar/wire"
)

func TestResolution(t *testing.T) {
	robin := []event{registers(0, "a", "web", 1), registers(0, "a", "web", 2), registers(0, "b", "web", 3), registers(0, "b", "web", 4)}
	weighted := []event{registers(0, "a", "web", 1, wrr(2)), registers(0, "b", "web", 2, wrr(1)), registers(0, "b", "web", 3, wrr(0))}
	checkRules(t, []rule{
		{
			"RFC 5352 3.3: an unknown pool", nil, resolves(0, "r", "web"),
			[]string{"r <- resolution A=false web cause 0x9"},
		},
		{
			"RFC 5352 3.3: all elements, and the policy even if it is round robin", robin, resolves(1, "r", "web"),
			[]string{"r <- resolution A=false web 1 2 3 4 round-robin"},
		},
		{
			"RFC 5356 4.1.2: the next list starts with the next element",
			append(robin, resolves(1, "r", "web")), resolves(1, "s", "web"),
			[]string{"s <- resolution A=false web 2 3 4 1 round-robin"},
		},
		{"as many as asked for", robin, resolves(1, "r", "web", 2), []string{"r <- resolution A=false web 1 2 round-robin"}},
		{"rsplib: 0 means three", robin, resolves(1, "r", "web", 0), []string{"r <- resolution A=false web 1 2 3 round-robin"}},
		{
			"rsplib: all it can get", robin, resolves(1, "r", "web", 0xffffffff),
			[]string{"r <- resolution A=false web 1 2 3 4 round-robin"},
		},
		{
			"RFC 5352 3.3: the overall policy if it is not round robin; RFC 5356 3.2: nothing for weight 0",
			weighted, resolves(1, "r", "web"),
			[]string{"r <- resolution A=false web 1 2 weighted-round-robin"},
		},
		{
			"RFC 5352 2.2.6: a positive response has at least one element",
			append(weighted, closes(1, "a"), closes(1, "b")), resolves(1, "r", "web"),
			[]string{"r <- resolution A=false web cause 0x6"},
		},
		{
			"a pool that came back starts anew",
			append(robin[:1:1], resolves(1, "r", "web"), deregisters(2, "a", "web", 1),
				registers(3, "a", "web", 1), registers(3, "a", "web", 2)),
			resolves(4, "r", "web"),
			[]string{"r <- resolution A=false web 1 2 round-robin"},
		},
		{"nobody asks", robin, resolves(1, "nobody", "web"), nil},
	})
}

// A response has at most 65,535 bytes (RFC 5354 section 4); the elements that no longer fit are left out.
func TestResolutionIsCut(t *testing.T) {
	wide := asap.Grant{
		Identity: "a", Pools: []wire.PoolHandle{"web"}, Addresses: []netip.Prefix{netip.MustParsePrefix("::/0")},
	}
	w := newWorld(func(c *asap.Config) { c.MaxElementsPerIdentity, c.Grants = 2000, []asap.Grant{wide} })
	for id := range wire.PEID(2000) {
		w.play(registers(0, "a", "web", id, addrs("2001:db8::1")))
	}
	for range 2 {
		m := w.play(resolves(1, "r", "web"))[0].(asap.Send).Message.(*wire.HandleResolutionResponse)
		b, err := wire.AppendASAP(nil, m)
		// An element is 16 bytes of its own, 8 + 20 of a TCP transport over IPv6, 8 of a policy; before them are a header,
		// a handle, 4 + 8, and the overall policy, 8.
		if want := (65535 - 20) / 52; err != nil || len(m.Elements) != want {
			t.Errorf("%d elements in %d bytes (%v), want %d elements", len(m.Elements), len(b), err, want)
		}
	}
}

func TestMessagesThatDoNotBelongHere(t *testing.T) {
	w := newWorld()
	for _, m := range []wire.Message{
		&wire.RegistrationResponse{}, &wire.DeregistrationResponse{}, &wire.HandleResolutionResponse{},
		&wire.EndpointKeepAlive{}, &wire.ServerAnnounce{},
	} {
		if got := w.play(sends(0, "a", m)); len(got) != 0 {
			t.Errorf("%v is answered: %q", m.Type(), w.lines(got))
		}
		if n := w.core.Counters().Ignored[m.Type()]; n != 1 {
			t.Errorf("%v ignored %d times, want 1", m.Type(), n)
		}
	}
	if got := w.play(sends(0, "a", &wire.ErrorMessage{})); len(got) != 0 || w.core.Counters().PeerErrors != 1 {
		t.Errorf("an error is answered: %q", w.lines(got))
	}
}

func TestCounters(t *testing.T) {
	w := newWorld()
	for _, e := range []event{
		registers(0, "a", "web", 1), registers(0, "a", "web", 1), registers(0, "b", "web", 2), registers(0, "b", "bank", 2),
		resolves(0, "r", "web"), resolves(0, "r", "bank"), reports(0, "r", "web", 1), acks(0, "a", "web", 1),
		deregisters(0, "a", "web", 2), deregisters(0, "a", "web", 1),
	} {
		w.play(e)
	}
	want := asap.Counters{
		Pools: 1, Elements: 1, Registrations: 2, Reregistrations: 1, Deregistrations: 1, Resolutions: 1,
		KeepAlives: 1, KeepAliveAcks: 1, UnreachableReports: 1,
	}
	want.Rejected[wire.CauseSecurity], want.Rejected[wire.CauseUnknownPoolHandle] = 2, 1
	want.Departed[0] = 1
	if got := w.core.Counters(); got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}
