// SPDX-License-Identifier: Apache-2.0

package enrp_test

import (
	"testing"

	"github.com/weir-lb/weir/registrar/wire"
)

// RFC 5353 3.3: our elements are announced.
func TestAnnouncing(t *testing.T) {
	checkRules(t, []rule{
		{
			name: "a registration", given: given(starts(0), friend(7), friend(8)), when: registers(1, "web", 1),
			want: []string{"7 <- HANDLE_UPDATE ADD_PE web 1 of 5", "8 <- HANDLE_UPDATE ADD_PE web 1 of 5"},
		},
		{
			name: "a removal", given: given(starts(0), friend(7), registers(1, "web", 1)), when: leaves(1, "web", 1),
			want: []string{"7 <- HANDLE_UPDATE DEL_PE web 1 of 5"},
		},
		{name: "nobody is there", given: given(starts(0)), when: registers(1, "web", 1)},
		{
			name: "a peer without a session finds out later", given: given(starts(0), friend(7), friend(8), closes(1, 7)), when: registers(1, "web", 1),
			want: []string{"8 <- HANDLE_UPDATE ADD_PE web 1 of 5"},
		},
	})
}

// RFC 5353 3.3.1, 3.3.2: what is announced to us.
func TestAnnounced(t *testing.T) {
	foreign := adds(7, "web", 1)
	foreign.Element.Home = 8
	unset := adds(7, "web", 1)
	unset.Element.Home = 0
	checkRules(t, []rule{
		{name: "a new element", given: given(starts(0), friend(7)), when: says(1, 7, adds(7, "web", 1)), want: []string{"learn web 1 of 7"}},
		{name: "a changed one", given: given(starts(0), friend(7, 1)), when: says(1, 7, adds(7, "web", 1)), want: []string{"learn web 1 of 7"}},
		{name: "without a home", given: given(starts(0), friend(7)), when: says(1, 7, unset), want: []string{"learn web 1 of 7"}},
		{
			name: "of another home", given: given(starts(0), friend(7)), when: says(1, 7, foreign),
			want: []string{"refused 7: rejected due to security considerations", "7 <- ERROR to 7 cause 0xa"},
		},
		{name: "one that moves", given: given(starts(0), friend(7, 1), friend(8)), when: says(1, 8, adds(8, "web", 1)), want: []string{"learn web 1 of 8"}},
		{name: "one that moves from us", given: given(starts(0), registers(0, "web", 1), friend(8)), when: says(2, 8, adds(8, "web", 1)), want: []string{"learn web 1 of 8"}},
		{name: "a removal", given: given(starts(0), friend(7, 1)), when: says(1, 7, deletes(7, "web", 1)), want: []string{"forget web 1 of 7"}},
		{name: "of what we do not know", given: given(starts(0), friend(7)), when: says(1, 7, deletes(7, "web", 1))},
		{name: "of another's", given: given(starts(0), friend(7, 1), friend(8)), when: says(1, 8, deletes(8, "web", 1))},
		{name: "of ours", given: given(starts(0), registers(0, "web", 1), friend(8)), when: says(2, 8, deletes(8, "web", 1))},
		{
			name: "by who took the home over without telling", given: given(starts(0), friend(7, 1), friend(8), closes(1, 7), says(1, 8, &wire.InitTakeover{Servers: between(8, 0), Target: 7})),
			when: says(2, 8, deletes(8, "web", 1)), want: []string{"forget web 1 of 8"},
		},
	})
}

// Two announcements of one element that cross: exactly one registrar is its home in the end.
func TestCrossing(t *testing.T) {
	crossed := func(p wire.ServerID) []event { return given(starts(0), friend(p), registers(10, "web", 1)) }
	checkRules(t, []rule{
		{
			name: "ours is repeated", given: crossed(8), when: says(10.5, 8, adds(8, "web", 1)),
			want: []string{"8 <- HANDLE_UPDATE ADD_PE web 1 of 5"},
		},
		{
			name: "theirs too: they win", given: given(crossed(8), says(10.5, 8, adds(8, "web", 1))), when: says(10.6, 8, adds(8, "web", 1)),
			want: []string{"learn web 1 of 8"},
		},
		{
			name: "theirs too: we win", given: given(crossed(3), says(10.5, 3, adds(3, "web", 1))), when: says(10.6, 3, adds(3, "web", 1)),
			want: []string{"3 <- HANDLE_UPDATE ADD_PE web 1 of 5"},
		},
		{name: "later it has moved", given: crossed(3), when: says(11.1, 3, adds(3, "web", 1)), want: []string{"learn web 1 of 3"}},
	})
}
