// SPDX-License-Identifier: Apache-2.0

package enrp_test

import (
	"errors"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/weir-lb/weir/registrar/enrp"
	"github.com/weir-lb/weir/registrar/wire"
)

// RFC 5353 3.4.1, 3.4.2: who is there.
func TestPresence(t *testing.T) {
	checkRules(t, []rule{
		{
			name: "a new peer is asked who it is", given: given(starts(0), accepts(0, 7)), when: says(0, 7, here(7)),
			want: []string{"7 is candidate", "7 is active", "7 <- PRESENCE to 7 R=true", "7 <- HANDLE_TABLE_REQUEST to 7 W=true"},
		},
		{
			name: "by a message of any type", given: given(starts(0), accepts(0, 7)), when: says(0, 7, adds(7, "web", 1)),
			want: []string{"7 is candidate", "7 is active", "7 <- PRESENCE to 7 R=true", "learn web 1 of 7"},
		},
		{
			name: "a reply is required", given: given(starts(0), friend(7)), when: says(0, 7, asking(here(7))),
			want: []string{"7 <- PRESENCE to 7 R=false"},
		},
		{name: "no reply is required", given: given(starts(0), friend(7)), when: says(0, 7, here(7))},
		{
			name: "a presence without a checksum", given: given(starts(0), friend(7, 1)),
			when: says(0, 7, &wire.Presence{Servers: between(7, 0)}),
		},
		{
			name: "of another registrar", given: given(starts(0), friend(7)),
			when: says(0, 7, &wire.Presence{Servers: between(7, 0), Info: here(8).Info}),
			want: []string{"refused 7: invalid values", "7 <- ERROR to 7 cause 0x3"},
		},
		{
			name: "the heartbeat goes to all", given: given(starts(0), friend(7), friend(8)), when: passes(30),
			want: []string{"7 <- PRESENCE R=false", "8 <- PRESENCE R=false"},
		},
	})
	checkRules(t, []rule{{
		name: "and to the multicast group", given: given(starts(0), passes(5), friend(7)), when: passes(30),
		want: []string{"7 <- PRESENCE R=false", "multicast <- PRESENCE R=false"},
	}}, func(c *enrp.Config) { c.Multicast = true })
}

// RFC 5353 3.4.3.
func TestFailureDetection(t *testing.T) {
	silent := given(starts(0), friend(7, 1), passes(30), passes(60))
	checkRules(t, []rule{
		{name: "silent for MAX-TIME-LAST-HEARD", given: silent, when: passes(61), want: []string{"7 is suspect", "7 <- PRESENCE to 7 R=true"}},
		{name: "not yet", given: silent, when: passes(60.9)},
		{
			name: "it answers", given: given(silent, passes(61)), when: says(65, 7, here(7, key("web", 1))),
			want: []string{"7 is active"},
		},
		{
			name: "any message will do", given: given(silent, passes(61)), when: says(65, 7, &wire.ListRequest{Servers: between(7, self)}),
			want: []string{"7 is active", "7 <- LIST_RESPONSE to 7 R=false"},
		},
		{
			name: "even if it is for somebody else", given: given(silent, passes(61)),
			when: says(65, 7, &wire.ListRequest{Servers: between(7, 99)}), want: []string{"7 is active"},
		},
		{name: "no answer yet", given: given(silent, passes(61)), when: passes(65.9)},
		{
			name: "its last session ends", given: given(starts(0), friend(7, 1), accepts(1, 70), says(1, 70, here(7, key("web", 1))), closes(2, 7)),
			when: closes(3, 70), want: []string{"7 is suspect"},
		},
		{
			name: "it is dialled then", given: given(starts(0), friend(7, 1), closes(3, 7)), when: passes(3),
			want: []string{"dial 7 at 10.0.0.7"},
		},
		{
			name: "it is there again", given: given(starts(0), friend(7, 1), closes(3, 7), passes(3)), when: reaches(3, 7, 70),
			want: []string{"70 <- PRESENCE to 7 R=true"},
		},
		{
			name: "and has to be read again, since messages may have been lost", given: given(starts(0), friend(7, 1), closes(3, 7), passes(3), reaches(6, 7, 70)),
			when: says(6, 70, here(7, key("web", 1))), want: []string{"7 is active", "70 <- HANDLE_TABLE_REQUEST to 7 W=true"},
		},
	})
}

// Messages whose sender cannot be who it says are not believed.
func TestSenders(t *testing.T) {
	from := func(session uint64, server wire.ServerID, m wire.ENRPMessage) event {
		return event{0, func(w *world, now time.Time) []enrp.Action {
			return w.core.Handle(now, enrp.From{Session: session, Server: server}, m)
		}}
	}
	binds := func(session uint64, server wire.ServerID) event {
		return event{0, func(w *world, now time.Time) []enrp.Action {
			return w.core.Connected(now, enrp.From{Session: session, Server: server}, 0)
		}}
	}
	checkRules(t, []rule{
		{
			name: "the key is another registrar's", given: given(starts(0), misses(0, 7), misses(0, 8), passes(5), binds(7, 7)), when: from(7, 7, here(8)),
			want: []string{"refused 8: rejected due to security considerations", "7 <- ERROR to 8 cause 0xa"},
		},
		{
			name: "not of this scope", given: given(starts(0), binds(9, 9)), when: from(9, 9, here(9)),
			want: []string{"refused 9: rejected due to security considerations", "9 <- ERROR to 9 cause 0xa"},
		},
		{
			name: "its own", given: given(starts(0), misses(0, 7), misses(0, 8), passes(5), binds(7, 7)), when: from(7, 7, here(7)),
			want: []string{"7 is candidate", "7 is active", "7 <- PRESENCE to 7 R=true", "7 <- HANDLE_TABLE_REQUEST to 7 W=true"},
		},
	}, knows(7, 8), func(c *enrp.Config) { c.Secured = true })
	checkRules(t, []rule{
		{
			name: "who speaks first stays", given: given(starts(0), friend(7)), when: says(0, 7, here(8)),
			want: []string{"refused 8: rejected due to security considerations", "7 <- ERROR to 8 cause 0xa"},
		},
		{
			name: "nobody", given: given(starts(0), accepts(0, 7)), when: says(0, 7, &wire.ListRequest{}),
			want: []string{"refused 0: invalid values", "7 <- ERROR cause 0x3"},
		},
		{
			name: "ourselves", given: given(starts(0), accepts(0, 7)), when: says(0, 7, here(self)),
			want: []string{"refused 5: invalid values", "hang up 7"},
		},
		{name: "a session that ended", given: given(starts(0), friend(7), closes(0, 7)), when: says(0, 7, here(7))},
		{name: "an error is not answered", given: given(starts(0), accepts(0, 7)), when: says(0, 7, &wire.ENRPErrorMessage{})},
		{
			name: "one more than there may be", given: given(starts(0), friend(7), friend(8), accepts(0, 9)), when: says(0, 9, here(9)),
			want: []string{"refused 9: lack of resources", "9 <- ERROR to 9 cause 0x6"},
		},
	}, func(c *enrp.Config) { c.MaxPeers = 2 })
}

// Two sessions with one peer are normal, since both dial. It is spoken to in the newest.
func TestTwoSessions(t *testing.T) {
	two := given(starts(0), friend(7, 1), accepts(1, 70), says(1, 70, here(7, key("web", 1))))
	checkRules(t, []rule{
		{name: "the newest is used", given: two, when: passes(30), want: []string{"70 <- PRESENCE R=false"}},
		{name: "the other one may be", given: two, when: says(1, 7, here(7, key("web", 1)))},
		{name: "and that changes nothing", given: given(two, says(1, 7, here(7, key("web", 1)))), when: passes(30), want: []string{"70 <- PRESENCE R=false"}},
		{name: "the newest ends", given: given(two, closes(2, 70)), when: passes(30), want: []string{"7 <- PRESENCE R=false"}},
		{
			name: "too many", when: says(1, 73, here(7, key("web", 1))), want: []string{"hang up 7"},
			given: given(two, accepts(1, 71), says(1, 71, here(7, key("web", 1))), accepts(1, 72), says(1, 72, here(7, key("web", 1))), accepts(1, 73)),
		},
	})
}

// RFC 5353 6.2: multicast is not trusted.
func TestHint(t *testing.T) {
	hint := func(at float64, m *wire.Presence) event {
		return event{at, func(w *world, now time.Time) []enrp.Action {
			return w.core.Hint(now, netip.MustParseAddrPort("10.0.0.66:9901"), m)
		}}
	}
	checkRules(t, []rule{
		{name: "it is dialled", given: given(starts(0)), when: hint(0, here(7)), want: []string{"dial 7 at 10.0.0.7"}},
		{name: "where it came from, if it does not say", given: given(starts(0)), when: hint(0, &wire.Presence{Servers: between(7, 0)}), want: []string{"dial 7 at 10.0.0.66"}},
		{name: "once", given: given(starts(0), hint(0, here(7))), when: hint(0, here(7))},
		{name: "a peer is known", given: given(starts(0), friend(7)), when: hint(0, here(7))},
		{name: "it is no sign of life", given: given(starts(0), friend(7), hint(60, here(7)), passes(60)), when: passes(61), want: []string{"7 is suspect", "7 <- PRESENCE to 7 R=true"}},
		{name: "our own", given: given(starts(0)), when: hint(0, here(self))},
		{
			name: "nobody was there several times", when: passes(60),
			given: given(starts(0), passes(30), hint(31, here(7)), misses(31, 7), passes(35), misses(35, 7), passes(40), misses(40, 7)),
			want:  []string{"multicast <- PRESENCE R=false"},
		},
	}, func(c *enrp.Config) { c.Multicast = true })
	checkRules(t, []rule{
		{name: "a secured registrar does not follow", given: given(starts(0)), when: hint(0, here(7))},
	}, func(c *enrp.Config) { c.Secured = true })
}

// What a registrar that is no peer says of where it is can be forged, and long.
func TestHintIsBounded(t *testing.T) {
	w := newWorld(func(c *enrp.Config) { c.Multicast = true })
	w.play(starts(0))
	m := here(7)
	for i := range 1000 {
		m.Info.Transport.Addrs = append(m.Info.Transport.Addrs, netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}))
	}
	moved := here(7)
	moved.Info.Transport.Addrs = []netip.Addr{netip.MustParseAddr("10.9.9.9")}
	for i, said := range []*wire.Presence{moved, m} {
		now := w.start.Add(time.Duration(i) * 10 * time.Second)
		actions := w.core.Hint(now, netip.MustParseAddrPort("10.0.0.66:9901"), said)
		if len(actions) != 1 {
			t.Fatalf("hint %d leads to %v, want a dial", i, actions)
		}
		d := actions[0].(enrp.Dial)
		if n := len(d.Transport.Addrs); n > 16 {
			t.Errorf("%d addresses are to be dialled", n)
		}
		w.core.DialFailed(now, d.ID)
	}
}

// Deadline names every time at which Tick does something: between two of them, nothing is missed.
func TestDeadline(t *testing.T) {
	w := newWorld()
	for _, e := range given(starts(0), friend(7, 1), friend(8)) {
		w.play(e)
	}
	var got []string
	for range 8 {
		d := w.core.Deadline()
		actions := w.core.Tick(d)
		apply(w.space, self, actions)
		for _, line := range lines(actions) {
			got = append(got, d.Sub(w.start).String()+" "+line)
		}
	}
	for _, want := range []string{
		"30s 7 <- PRESENCE R=false", "1m1s 7 is suspect", "1m6s 7 is dead", "1m6s 7 <- INIT_TAKEOVER of 7", "1m6s take over 8",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("no %q in %q", want, got)
		}
	}
}

// What an event makes due was not due before: who waits for a deadline that is long over would think that it was asleep.
func TestNothingIsDueBeforeItsCause(t *testing.T) {
	w := newWorld(func(c *enrp.Config) { c.Known = []enrp.Peer{{Server: 7, Transport: info(7).Transport}} })
	for _, e := range given(starts(0), reaches(0, 7, 7), says(0, 7, here(7)), says(29, 7, here(7)), closes(29, 7)) {
		w.play(e)
	}
	if d := w.core.Deadline().Sub(w.start); d != 29*time.Second {
		t.Errorf("a peer that was lost after 29s was to be dialled again after %v", d)
	}
}

// Who waits for a registrar that is gone for hours wants to read once that nobody is there.
func TestRepeatedDialsSaySo(t *testing.T) {
	w := newWorld(func(c *enrp.Config) { c.Known = []enrp.Peer{{Server: 7, Transport: info(7).Transport}} })
	var got []bool
	for _, e := range given(starts(0), misses(0, 7), passes(4), misses(4, 7), passes(8), reaches(8, 7, 7), says(8, 7, here(7)), closes(9, 7), passes(12)) {
		for _, a := range w.play(e) {
			if d, ok := a.(enrp.Dial); ok {
				got = append(got, d.Again)
			}
		}
	}
	if want := []bool{false, true, true, false}; !slices.Equal(got, want) {
		t.Errorf("again: %v, want %v", got, want)
	}
}

// RFC 5353 2.1, 3.6.1: whatever a presence is for, it says who we are, and what our elements add up to.
func TestPresenceIsWhole(t *testing.T) {
	for _, tt := range []struct {
		name  string
		given []event
		when  event
	}{
		{"to who was dialled", given(starts(0), registers(0, "web", 1)), reaches(0, 7, 7)},
		{"to a new peer", given(starts(0), registers(0, "web", 1), accepts(0, 9)), says(0, 9, here(9))},
		{"the reply", given(starts(0), friend(9), registers(0, "web", 1)), says(0, 9, asking(here(9)))},
		{"the heartbeat", given(starts(0), friend(9), registers(0, "web", 1)), passes(30)},
		{"to who is silent", given(starts(0), friend(9), registers(0, "web", 1), passes(30), passes(60)), passes(61)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(knows(7))
			for _, e := range tt.given {
				w.play(e)
			}
			sent := 0
			for _, a := range w.play(tt.when) {
				s, ok := a.(enrp.Send)
				if !ok {
					continue
				}
				m, ok := s.Message.(*wire.Presence)
				if !ok {
					continue
				}
				sent++
				want := here(self, key("web", 1))
				if m.Checksum == nil || *m.Checksum != *want.Checksum || !reflect.DeepEqual(m.Info, want.Info) {
					t.Errorf("sent %+v, want the checksum %#x and %+v", m, *want.Checksum, *want.Info)
				}
			}
			if sent == 0 {
				t.Error("no presence was sent")
			}
		})
	}
}

// RFC 5353 3.7: what could not be understood is reported, if RFC 5354 has it so.
func TestFault(t *testing.T) {
	comes := func(session uint64, hex ...byte) event {
		return event{1, func(w *world, now time.Time) []enrp.Action {
			_, err := wire.ParseENRP(hex)
			var fault *wire.Error
			if !errors.As(err, &fault) {
				panic("no fault")
			}
			return w.core.Fault(now, enrp.From{Session: session}, fault)
		}}
	}
	checkRules(t, []rule{
		{name: "an unknown message, 01", given: given(starts(0), friend(7)), when: comes(7, 0x40, 0, 0, 4), want: []string{"7 <- ERROR to 7 cause 0x2"}},
		{name: "an unknown message, 00", given: given(starts(0), friend(7)), when: comes(7, 0x30, 0, 0, 4)},
		{
			name: "an unknown parameter, 11", given: given(starts(0), friend(7)),
			when: comes(7, 5, 0, 0, 16, 0, 0, 0, 7, 0, 0, 0, 5, 0xc0, 1, 0, 4), want: []string{"7 <- ERROR to 7 cause 0x1"},
		},
		{name: "invalid values", given: given(starts(0), friend(7)), when: comes(7, 5, 0, 0, 4), want: []string{"7 <- ERROR to 7 cause 0x3"}},
		{name: "of who has not spoken", given: given(starts(0), accepts(0, 7)), when: comes(7, 0x40, 0, 0, 4), want: []string{"7 <- ERROR cause 0x2"}},
		{name: "in a session that ended", given: given(starts(0), friend(7), closes(0, 7)), when: comes(7, 0x40, 0, 0, 4)},
		{name: "an error that is none", given: given(starts(0), friend(7)), when: comes(7, 10, 0, 0, 4)},
	})
}
