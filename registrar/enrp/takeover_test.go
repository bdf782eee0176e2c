// SPDX-License-Identifier: Apache-2.0

package enrp_test

import (
	"testing"

	"github.com/weir-lb/weir/registrar/enrp"
	"github.com/weir-lb/weir/registrar/wire"
)

func initTakeover(from, target wire.ServerID) *wire.InitTakeover {
	return &wire.InitTakeover{Servers: between(from, 0), Target: target}
}

func ack(from, target wire.ServerID) *wire.InitTakeoverAck {
	return &wire.InitTakeoverAck{Servers: between(from, self), Target: target}
}

func enforced(from, target wire.ServerID) *wire.TakeoverServer {
	return &wire.TakeoverServer{Servers: between(from, 0), Target: target}
}

// RFC 5353 3.5, as the one who takes over.
func TestTakingOver(t *testing.T) {
	// 7, which has two elements, loses its session at 10 s.
	dies := given(starts(0), friend(3), friend(7, 1, 2), friend(9), closes(10, 7))
	begun := given(dies, passes(15))
	completed := []string{"7 is gone", "3 <- TAKEOVER_SERVER of 7", "9 <- TAKEOVER_SERVER of 7", "take over 7"}
	checkRules(t, []rule{
		{
			name: "all are asked", given: dies, when: passes(15),
			want: []string{"dial 7 at 10.0.0.7", "7 is dead", "3 <- INIT_TAKEOVER of 7", "9 <- INIT_TAKEOVER of 7"},
		},
		{name: "one agrees", given: begun, when: says(16, 3, ack(3, 7))},
		{name: "all agree", given: given(begun, says(16, 3, ack(3, 7))), when: says(16, 9, ack(9, 7)), want: completed},
		{name: "twice the same", given: given(begun, says(16, 3, ack(3, 7))), when: says(16, 3, ack(3, 7))},
		{name: "about something else", given: begun, when: says(16, 3, ack(3, 8))},
		{
			name: "the target is there", given: given(begun, reaches(16, 7, 70)), when: says(16, 70, here(7, key("web", 1), key("web", 2))),
			want: []string{"7 is active", "70 <- HANDLE_TABLE_REQUEST to 7 W=true"},
		},
		{name: "then it is not taken over", given: given(begun, reaches(16, 7, 70), says(16, 70, here(7)), says(16, 3, ack(3, 7))), when: says(16, 9, ack(9, 7))},
		{
			name: "one that has not agreed dies", given: given(begun, says(16, 3, ack(3, 7)), closes(17, 9)), when: passes(22),
			want: []string{
				"dial 9 at 10.0.0.9", "9 is dead", "3 <- INIT_TAKEOVER of 9",
				"7 is gone", "3 <- TAKEOVER_SERVER of 7", "take over 7",
			},
		},
		{name: "who has not agreed is asked again", given: given(begun, says(16, 3, ack(3, 7))), when: passes(20), want: []string{"9 <- INIT_TAKEOVER of 7"}},
		{
			name: "but not for ever", given: given(begun, says(16, 3, ack(3, 7)), passes(20), passes(25)), when: passes(30),
			want: append([]string{"3 <- PRESENCE R=false", "9 <- PRESENCE R=false"}, completed...),
		},
		{
			name: "another one does it too, and wins", given: begun, when: says(16, 9, initTakeover(9, 7)),
			want: []string{"7 is inactive", "9 <- INIT_TAKEOVER_ACK to 9 of 7"},
		},
		{name: "then acknowledgements count no more", given: given(begun, says(16, 9, initTakeover(9, 7)), says(16, 3, ack(3, 7))), when: says(16, 9, ack(9, 7))},
		{name: "another one does it too, and loses", given: begun, when: says(16, 3, initTakeover(3, 7))},
		{
			name: "another one has done it", given: begun, when: says(16, 3, enforced(3, 7)),
			want: []string{"7 is gone", "learn web 1 of 3", "learn web 2 of 3"},
		},
		{
			name: "who asks later is told", given: given(begun, says(16, 3, ack(3, 7)), says(16, 9, ack(9, 7))), when: says(17, 3, initTakeover(3, 7)),
			want: []string{"3 <- TAKEOVER_SERVER to 3 of 7"},
		},
		{
			name: "the target comes back", given: given(begun, says(16, 3, ack(3, 7)), says(16, 9, ack(9, 7)), accepts(20, 7)), when: says(20, 7, here(7, key("web", 1))),
			want: []string{"7 is candidate", "7 is active", "7 <- PRESENCE to 7 R=true", "7 <- HANDLE_TABLE_REQUEST to 7 W=true"},
		},
	})
}

// With exactly two registrars there is nobody to wait for.
func TestTakeoverOfTwo(t *testing.T) {
	checkRules(t, []rule{
		{
			name: "its session ended", given: given(starts(0), friend(7, 1), closes(10, 7)), when: passes(15),
			want: []string{"dial 7 at 10.0.0.7", "7 is dead", "7 is gone", "take over 7"},
		},
		{
			name: "it is silent", given: given(starts(0), friend(7, 1), passes(60), passes(61)), when: passes(66),
			want: []string{"7 is dead", "7 <- INIT_TAKEOVER of 7", "7 is gone", "hang up 7", "take over 7"},
		},
	})
}

// RFC 5353 3.5.1 rules 1 to 3, 3.5.2, as one who is told.
func TestTakeoverByAnother(t *testing.T) {
	told := given(starts(0), friend(7, 1), friend(9), closes(10, 7), says(11, 9, initTakeover(9, 7)))
	checkRules(t, []rule{
		{
			name: "rule 1: it is us", given: given(starts(0), friend(7), friend(9)), when: says(1, 9, initTakeover(9, self)),
			want: []string{"7 <- PRESENCE R=false", "9 <- PRESENCE R=false"},
		},
		{
			name: "rule 3", given: given(starts(0), friend(7, 1), friend(9), closes(10, 7)), when: says(11, 9, initTakeover(9, 7)),
			want: []string{"7 is inactive", "9 <- INIT_TAKEOVER_ACK to 9 of 7"},
		},
		{name: "somebody unknown", given: given(starts(0), friend(9)), when: says(1, 9, initTakeover(9, 7)), want: []string{"9 <- INIT_TAKEOVER_ACK to 9 of 7"}},
		{name: "itself", given: given(starts(0), friend(9)), when: says(1, 9, initTakeover(9, 9))},
		{name: "the target is no longer monitored", given: told, when: passes(29), want: []string{"dial 7 at 10.0.0.7"}},
		{
			name: "unless nothing comes of it", given: given(told, passes(30)), when: passes(31),
			want: []string{"7 is suspect"},
		},
		{
			name: "then we do it", given: given(told, passes(30), passes(31)), when: passes(36),
			want: []string{"7 is dead", "9 <- INIT_TAKEOVER of 7"},
		},
		{name: "the target is heard", given: given(told, accepts(12, 70)), when: says(12, 70, adds(7, "web", 1)), want: []string{"7 is active", "learn web 1 of 7"}},
		{name: "it is enforced", given: told, when: says(12, 9, enforced(9, 7)), want: []string{"7 is gone", "learn web 1 of 9"}},
		{
			name: "without telling, as rsplib does: the audit finds out", given: told, when: says(12, 9, here(9, key("web", 1))),
			want: []string{"9 <- HANDLE_TABLE_REQUEST to 9 W=true"},
		},
		{
			name: "and the elements have a new home", given: given(told, says(12, 9, here(9, key("web", 1)))), when: says(12, 9, tableOf(9, false, entry("web", 9, 1))),
			want: []string{"learn web 1 of 9"},
		},
		{
			name: "ours were taken", given: given(starts(0), registers(0, "web", 1), friend(9)), when: says(12, 9, enforced(9, self)),
			want: []string{"9 <- PRESENCE R=false"},
		},
	})
}

// rsplib has it the other way round than RFC 5353 3.5.1.
func TestLowerWins(t *testing.T) {
	begun := given(starts(0), friend(3), friend(7, 1), friend(9), closes(10, 7), passes(15))
	checkRules(t, []rule{
		{name: "a higher one loses", given: begun, when: says(16, 9, initTakeover(9, 7))},
		{name: "a lower one wins", given: begun, when: says(16, 3, initTakeover(3, 7)), want: []string{"7 is inactive", "3 <- INIT_TAKEOVER_ACK to 3 of 7"}},
	}, func(c *enrp.Config) { c.LowerWins = true })
}

// The home of an element need not be a peer. If it never speaks, its elements are taken over all the same.
func TestOrphans(t *testing.T) {
	orphaned := given(starts(0), reaches(0, 7, 7), says(0, 7, here(7, key("web", 1))), says(0, 7, &wire.ListResponse{Servers: between(7, self)}),
		says(0, 7, tableOf(7, false, entry("web", 7, 1), entry("web", 9, 2))))
	alive := func(at float64) event { return says(at, 7, here(7, key("web", 1))) }
	checkRules(t, []rule{
		{name: "it is looked for", given: orphaned, when: passes(30), want: []string{"9 is candidate", "7 <- PRESENCE R=false"}},
		{name: "it is not there", given: given(orphaned, passes(30), alive(60), passes(60), alive(90), passes(90)), when: passes(91), want: []string{"9 is suspect"}},
		{
			name: "it is taken over", given: given(orphaned, passes(30), alive(60), passes(60), alive(90), passes(90), passes(91)), when: passes(96),
			want: []string{"9 is dead", "7 <- INIT_TAKEOVER of 9"},
		},
	}, knows(7))
}
