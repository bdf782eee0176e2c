// SPDX-License-Identifier: Apache-2.0

package enrp_test

import "testing"

// RFC 5353 3.5.1 rule 3 and 3.5.2, if the target is there for us: it is asked before its elements get another home.
func TestTakeoverOfWhoIsHeard(t *testing.T) {
	heard := given(starts(0), friend(7, 1), friend(9))
	told := given(heard, says(10, 9, initTakeover(9, 7)))
	taken := given(told, says(10, 9, enforced(9, 7)))
	suspect := given(heard, passes(30), says(59, 9, here(9)), passes(61)) // 7 has been asked at 61 s
	gone := []string{"7 is gone", "hang up 7", "learn web 1 of 9"}
	checkRules(t, []rule{
		{
			name: "it is asked", given: heard, when: says(10, 9, initTakeover(9, 7)),
			want: []string{"7 is inactive", "7 <- PRESENCE to 7 R=true", "9 <- INIT_TAKEOVER_ACK to 9 of 7"},
		},
		{name: "enforced before it can answer", given: told, when: says(10, 9, enforced(9, 7))},
		{name: "it answers", given: taken, when: says(10.1, 7, here(7, key("web", 1))), want: []string{"7 is active"}},
		{name: "enforced after it answered", given: given(told, says(10.1, 7, here(7, key("web", 1)))), when: says(11, 9, enforced(9, 7))},
		{name: "no answer yet", given: taken, when: passes(14.9)},
		{name: "no answer", given: taken, when: passes(15), want: gone},
		{name: "no answer, and then enforced", given: given(told, passes(15)), when: says(16, 9, enforced(9, 7)), want: gone},
		{name: "its last session ends", given: taken, when: closes(11, 7), want: []string{"7 is gone", "learn web 1 of 9"}},
		{name: "one of its sessions ends", given: given(heard, accepts(1, 70), says(1, 70, here(7, key("web", 1))), says(10, 9, initTakeover(9, 7)), says(10, 9, enforced(9, 7))), when: closes(11, 7)},
		{
			name: "its last session ends, and nobody has enforced it", given: given(told, closes(11, 7)), when: passes(30),
			want: []string{"9 <- PRESENCE R=false", "dial 7 at 10.0.0.7", "7 is suspect"},
		},
		{
			name: "enforced without a word before", given: heard, when: says(10, 9, enforced(9, 7)),
			want: []string{"7 is inactive", "7 <- PRESENCE to 7 R=true"},
		},
		{
			name: "asked already", given: suspect, when: says(62, 9, initTakeover(9, 7)),
			want: []string{"7 is inactive", "9 <- INIT_TAKEOVER_ACK to 9 of 7"},
		},
		{name: "the answer is due since then", given: given(suspect, says(62, 9, initTakeover(9, 7)), says(62, 9, enforced(9, 7))), when: passes(66), want: gone},
		{name: "until then its elements are not the other's to remove", given: taken, when: says(11, 9, deletes(9, "web", 1))},
	})
}

// What a peer has of a registrar that it does not hear, and we do, is not believed.
func TestDispute(t *testing.T) {
	one, two := key("web", 1), key("web", 2)
	disputed := given(starts(0), friend(7, 1), friend(9), says(10, 9, initTakeover(9, 7)), says(10, 9, enforced(9, 7)), says(10.1, 7, here(7, one)))
	asked := given(disputed, says(11, 9, here(9, one)))
	denied := given(asked, says(11, 9, tableOf(9, false, entry("web", 9, 1))))
	ask := []string{"9 <- HANDLE_TABLE_REQUEST to 9 W=true"}
	checkRules(t, []rule{
		{name: "its checksum differs", given: disputed, when: says(11, 9, here(9, one)), want: ask},
		{name: "its table is known to be old", given: asked, when: says(11, 9, tableOf(9, false, entry("web", 9, 1, 2))), want: []string{"learn web 2 of 9"}},
		{name: "nor is it fetched again", given: denied, when: says(60, 9, here(9, one))},
		{name: "nor if something else changed", given: given(denied, says(12, 9, adds(9, "web", 2))), when: says(60, 9, here(9, one, two))},
		{name: "unless what changed was missed", given: denied, when: says(60, 9, here(9, one, two)), want: ask},
		{name: "what registers there is there", given: denied, when: says(12, 9, adds(9, "web", 1)), want: []string{"learn web 1 of 9"}},
		{name: "it cannot remove it", given: denied, when: says(12, 9, deletes(9, "web", 1))},
		{name: "having done that it has it no longer", given: given(denied, says(12, 9, deletes(9, "web", 1))), when: says(60, 9, here(9))},
		{name: "it gives it back", given: denied, when: says(60, 9, here(9))},
		{name: "its home removes it: it may have moved", given: given(denied, says(12, 7, deletes(7, "web", 1))), when: says(60, 9, here(9, one)), want: ask},
		{
			name: "then the table is believed", given: given(denied, says(12, 7, deletes(7, "web", 1)), says(60, 9, here(9, one))),
			when: says(60, 9, tableOf(9, false, entry("web", 9, 1))), want: []string{"learn web 1 of 9"},
		},
		{
			name: "its home turns out not to have it", given: given(denied, says(20, 7, here(7))), when: says(20, 7, tableOf(7, false)),
			want: append([]string{"forget web 1 of 7"}, ask...),
		},
		{
			name: "its home dies", given: given(denied, closes(20, 7), passes(25)), when: says(25, 9, enforced(9, 7)),
			want: []string{"7 is gone", "learn web 1 of 9"},
		},
		{
			name: "then what was denied may be newer than what we had", when: says(60, 9, here(9, one)), want: ask,
			given: given(denied, closes(20, 7), passes(25), says(25, 9, enforced(9, 7))),
		},
		{
			name: "it is over", given: given(denied, says(31, 9, here(9)), says(32, 9, here(9, one))), when: says(32, 9, tableOf(9, false, entry("web", 9, 1))),
			want: []string{"learn web 1 of 9"},
		},
		{
			name: "it is not over while the takeover may go on", given: given(denied, says(30, 9, here(9)), says(32, 9, here(9, one))),
			when: says(32, 9, tableOf(9, false, entry("web", 9, 1))),
		},
	})
}

// A resynchronisation that was futile does not put off the next one when the peer has changed.
func TestFutileResyncIsOfOneState(t *testing.T) {
	one, two, three := key("web", 1), key("web", 2), key("web", 3)
	table := func(at float64) event { return says(at, 7, tableOf(7, false, entry("web", 7, 1))) }
	futile := given(starts(0), friend(7, 1), says(10, 7, here(7, one, two)), table(10), says(15, 7, here(7, one, two)), table(15))
	checkRules(t, []rule{
		{name: "the same", given: futile, when: says(20, 7, here(7, one, two))},
		{name: "the same, later", given: futile, when: says(25, 7, here(7, one, two)), want: []string{"7 <- HANDLE_TABLE_REQUEST to 7 W=true"}},
		{name: "something else", given: futile, when: says(20, 7, here(7, one, three)), want: []string{"7 <- HANDLE_TABLE_REQUEST to 7 W=true"}},
		{name: "but not all the time", given: futile, when: says(19, 7, here(7, one, three))},
	})
}
