// SPDX-License-Identifier: Apache-2.0

package enrp_test

import (
	"math/rand/v2"
	"testing"

	"github.com/weir-lb/weir/registrar/enrp"
	"github.com/weir-lb/weir/registrar/wire"
)

// RFC 5353 3.2.2.1: no peer is specified.
func TestAlone(t *testing.T) {
	checkRules(t, []rule{
		{name: "nobody is known", when: starts(0), want: []string{"synchronised by 0"}},
	})
	checkRules(t, []rule{
		{name: "multicast is waited for", when: starts(0), want: []string{"multicast <- PRESENCE R=false"}},
		{
			name: "nobody is heard by multicast", given: given(starts(0)), when: passes(5),
			want: []string{"synchronised by 0"},
		},
	}, func(c *enrp.Config) { c.Multicast = true })
}

// RFC 5353 3.2.2: the mentor.
func TestMentor(t *testing.T) {
	met := given(starts(0), reaches(0, 7, 7))
	asked := given(met, says(0, 7, here(7)))
	listed := given(asked, says(0, 7, &wire.ListResponse{Servers: between(7, self), Peers: []wire.ServerInfo{info(7), info(self), info(3)}}))
	rejection := &wire.ListResponse{Servers: between(7, self), Reject: true}
	checkRules(t, []rule{
		{name: "all that are known are dialled", when: starts(0), want: []string{"dial 7 at 10.0.0.7", "dial 8 at 10.0.0.8"}},
		{
			name: "presence goes first", given: given(starts(0)), when: reaches(0, 7, 7),
			want: []string{"7 <- PRESENCE to 7 R=true"},
		},
		{
			name: "the list is asked for", given: met, when: says(0, 7, here(7)),
			want: []string{"7 is candidate", "7 is active", "7 <- LIST_REQUEST to 7"},
		},
		{
			name: "then the table", given: asked,
			when: says(0, 7, &wire.ListResponse{Servers: between(7, self), Peers: []wire.ServerInfo{info(self), info(3), {Transport: info(4).Transport}}}),
			want: []string{"3 is candidate", "7 <- HANDLE_TABLE_REQUEST to 7 W=false"},
		},
		{
			name: "peers of the list are dialled", given: listed, when: passes(0.1), want: []string{"dial 3 at 10.0.0.3"},
		},
		{
			name: "a part of the table, and the next is asked for", given: listed,
			when: says(0, 7, tableOf(7, true, entry("web", 7, 1, 2), entry("db", 3, 1))),
			want: []string{"learn web 1 of 7", "learn web 2 of 7", "learn db 1 of 3", "7 <- HANDLE_TABLE_REQUEST to 7 W=false"},
		},
		{
			name: "the last part", given: listed, when: says(0, 7, tableOf(7, false, entry("web", 7, 1))),
			want: []string{"learn web 1 of 7", "synchronised by 7"},
		},
		{
			name: "who we were before is not taken over from a table", given: listed,
			when: says(0, 7, tableOf(7, false, entry("web", self, 1))), want: []string{"synchronised by 7"},
		},
		{
			name: "a home that is there knows better than the mentor", given: given(listed, accepts(0, 3), says(0, 3, adds(3, "web", 1))),
			when: says(0, 7, tableOf(7, false, entry("web", 9, 1), entry("web", 3, 2))), want: []string{"learn web 2 of 3", "synchronised by 7"},
		},
		{
			name: "a list that is rejected is asked for elsewhere", given: given(starts(0), reaches(0, 8, 8), reaches(0, 7, 7), says(0, 7, here(7)), says(0, 8, here(8))),
			when: says(0, 7, rejection), want: []string{"8 <- LIST_REQUEST to 8"},
		},
		{
			name: "or again in a while", given: given(asked, says(0, 7, rejection)), when: passes(2),
			want: []string{"7 <- LIST_REQUEST to 7"},
		},
		{
			name: "a table that is rejected is asked for elsewhere", given: given(listed, reaches(0, 8, 8), says(0, 8, here(8))),
			when: says(0, 7, &wire.HandleTableResponse{Servers: between(7, self), Reject: true}), want: []string{"8 <- LIST_REQUEST to 8"},
		},
		{
			name: "a mentor that does not answer is left", given: given(asked, reaches(0, 8, 8), says(0, 8, here(8))),
			when: passes(5), want: []string{"8 <- LIST_REQUEST to 8"},
		},
		{
			name: "a mentor whose table does not come is left", given: given(listed, reaches(0, 8, 8), says(0, 8, here(8))),
			when: passes(5), want: []string{"dial 3 at 10.0.0.3", "8 <- LIST_REQUEST to 8"},
		},
		{
			name:  "also if it is the rest that does not come",
			given: given(listed, reaches(0, 8, 8), says(0, 8, here(8)), says(4, 7, tableOf(7, true, entry("web", 7, 1))), passes(5)),
			when:  passes(9), want: []string{"8 <- LIST_REQUEST to 8"},
		},
		{
			name: "a mentor whose session ends is left", given: given(listed, reaches(0, 8, 8), says(0, 8, here(8))),
			when: closes(1, 7), want: []string{"8 <- LIST_REQUEST to 8", "7 is suspect"},
		},
		{
			name: "nobody is there", given: given(starts(0), misses(0, 7), misses(0, 8)), when: passes(5),
			want: []string{"dial 7 at 10.0.0.7", "dial 8 at 10.0.0.8", "synchronised by 0"},
		},
		{
			name: "not while a mentor is at work", given: given(listed, says(4, 7, tableOf(7, true, entry("web", 7, 1)))), when: passes(5),
			want: []string{"dial 3 at 10.0.0.3"},
		},
	}, knows(7, 8))
}

// RFC 5353 3.2.2.2, 3.2.3: what we do as a mentor.
func TestBeingMentor(t *testing.T) {
	ask := &wire.ListRequest{Servers: between(7, self)}
	table := &wire.HandleTableRequest{Servers: between(7, self)}
	checkRules(t, []rule{
		{
			name: "the list", given: given(starts(0), friend(3), friend(9), friend(7)), when: says(0, 7, ask),
			want: []string{"7 <- LIST_RESPONSE to 7 R=false 3 9"},
		},
		{
			name: "the list for somebody unknown", given: given(starts(0), friend(3), accepts(0, 7)), when: says(0, 7, ask),
			want: []string{"7 is candidate", "7 is active", "7 <- PRESENCE to 7 R=true", "7 <- LIST_RESPONSE to 7 R=false 3"},
		},
		{
			name: "no table for somebody unknown", given: given(starts(0), accepts(0, 7)), when: says(0, 7, table),
			want: []string{"7 is candidate", "7 is active", "7 <- PRESENCE to 7 R=true", "7 <- HANDLE_TABLE_RESPONSE to 7 R=true M=false"},
		},
		{
			name: "the table", given: given(starts(0), friend(3, 2), friend(7), registers(0, "web", 1)), when: says(0, 7, table),
			want: []string{"7 <- HANDLE_TABLE_RESPONSE to 7 R=false M=false web: 1 of 5 2 of 3"},
		},
		{
			name: "our own only", given: given(starts(0), friend(3, 2), friend(7), registers(0, "web", 1)),
			when: says(0, 7, &wire.HandleTableRequest{Servers: between(7, self), OwnChildren: true}),
			want: []string{"7 <- HANDLE_TABLE_RESPONSE to 7 R=false M=false web: 1 of 5"},
		},
		{
			name: "nothing", given: given(starts(0), friend(7)), when: says(0, 7, table),
			want: []string{"7 <- HANDLE_TABLE_RESPONSE to 7 R=false M=false"},
		},
	})
	checkRules(t, []rule{
		{
			name: "no list while we start", given: given(starts(0), accepts(0, 7), says(0, 7, here(7))), when: says(0, 7, ask),
			want: []string{"7 <- LIST_RESPONSE to 7 R=true"},
		},
		{
			name: "no table while we start", given: given(starts(0), accepts(0, 7), says(0, 7, here(7))), when: says(0, 7, table),
			want: []string{"7 <- HANDLE_TABLE_RESPONSE to 7 R=true M=false"},
		},
	}, knows(8))
}

// numbers is a source of these.
type numbers []uint64

func (n *numbers) Uint64() uint64 {
	next := (*n)[0]
	*n = (*n)[1:]
	return next
}

func TestServerID(t *testing.T) {
	if got := enrp.NewServerID(rand.New(&numbers{0, 0, 7 << 32})); got != 7 {
		t.Errorf("drew %v, want 7: 0 is no identifier", got)
	}
}
