// SPDX-License-Identifier: Apache-2.0

package enrp_test

import (
	"testing"
	"time"

	"github.com/weir-lb/weir/registrar/enrp"
	"github.com/weir-lb/weir/registrar/wire"
)

// RFC 5353 3.6: auditing, and resynchronisation.
func TestAudit(t *testing.T) {
	one, two, three := key("web", 1), key("web", 2), key("web", 3)
	differs := given(starts(0), friend(7, 1, 2), says(10, 7, here(7, one, three)))
	reject := &wire.HandleTableResponse{Servers: between(7, self), Reject: true}
	checkRules(t, []rule{
		{name: "agreed", given: given(starts(0), friend(7, 1, 2)), when: says(10, 7, here(7, two, one))},
		{
			name: "a difference", given: given(starts(0), friend(7, 1, 2)), when: says(10, 7, here(7, one, three)),
			want: []string{"7 <- HANDLE_TABLE_REQUEST to 7 W=true"},
		},
		{
			name: "what is not in the table is forgotten", given: differs, when: says(10, 7, tableOf(7, false, entry("web", 7, 1, 3))),
			want: []string{"learn web 1 of 7", "learn web 3 of 7", "forget web 2 of 7"},
		},
		{
			name: "but not before its end", given: differs, when: says(10, 7, tableOf(7, true, entry("web", 7, 3))),
			want: []string{"learn web 3 of 7", "7 <- HANDLE_TABLE_REQUEST to 7 W=true"},
		},
		{
			name: "at its end", given: given(differs, says(10, 7, tableOf(7, true, entry("web", 7, 3)))),
			when: says(10, 7, tableOf(7, false, entry("db", 7, 1))),
			want: []string{"learn db 1 of 7", "forget web 1 of 7", "forget web 2 of 7"},
		},
		{
			name: "everything is gone", given: differs, when: says(10, 7, tableOf(7, false)),
			want: []string{"forget web 1 of 7", "forget web 2 of 7"},
		},
		{
			name: "not what came meanwhile", given: given(differs, says(10, 7, adds(7, "web", 2)), says(10, 7, adds(7, "web", 4))),
			when: says(10, 7, tableOf(7, false)), want: []string{"forget web 1 of 7"},
		},
		{
			name: "what came meanwhile is newer than the table", given: given(differs, says(10, 7, adds(7, "web", 3))),
			when: says(10, 7, tableOf(7, false, entry("web", 7, 1, 3))), want: []string{"learn web 1 of 7", "forget web 2 of 7"},
		},
		{
			name: "not what moved meanwhile", given: given(differs, friend(8), says(10, 8, adds(8, "web", 2))),
			when: says(10, 7, tableOf(7, false)), want: []string{"forget web 1 of 7"},
		},
		{name: "rejected: nothing is forgotten", given: differs, when: says(10, 7, reject)},
		{
			name: "and it is tried again, not at once", given: given(differs, says(10, 7, reject)), when: says(19, 7, here(7, one, three)),
		},
		{
			name: "but later", given: given(differs, says(10, 7, reject)), when: says(20, 7, here(7, one, three)),
			want: []string{"7 <- HANDLE_TABLE_REQUEST to 7 W=true"},
		},
		{
			name: "no next part in time: given up, nothing is forgotten", given: given(differs, says(10, 7, tableOf(7, true, entry("web", 7, 3)))),
			when: passes(15),
		},
		{
			name: "its rest comes too late", given: given(differs, says(10, 7, tableOf(7, true, entry("web", 7, 3))), passes(15)),
			when: says(15, 7, tableOf(7, false)),
		},
		{name: "the session ends: given up", given: given(differs, accepts(10, 70), says(10, 70, here(7, one)), closes(11, 7)), when: says(11, 70, tableOf(7, false))},
		{name: "one at a time", given: differs, when: says(10, 7, here(7, one, three))},
		{name: "an empty part with more to come is given up", given: differs, when: says(10, 7, tableOf(7, true))},
		{name: "others' elements do not belong there", given: differs, when: says(10, 7, tableOf(7, true, entry("web", 8, 9))), want: []string{"7 <- HANDLE_TABLE_REQUEST to 7 W=true"}},
		{name: "nobody asked", given: given(starts(0), friend(7, 1)), when: says(10, 7, tableOf(7, false, entry("web", 7, 9)))},
	})
}

// A difference that stays does not make us ask every time.
func TestFutileResync(t *testing.T) {
	w := newWorld()
	for _, e := range given(starts(0), friend(7, 1)) {
		w.play(e)
	}
	asked := 0
	for i := range 100 {
		at := 10 + float64(i)
		asked += len(w.play(says(at, 7, here(7, key("web", 1), key("web", 2)))))
		w.play(says(at, 7, tableOf(7, false, entry("web", 7, 1))))
	}
	if asked < 4 || asked > 6 { // after 0, 5, 15, 35, 75 s
		t.Errorf("asked %d times in 100 s", asked)
	}
}

// Who is right if a table has an element of ours? See the package comment.
func TestContested(t *testing.T) {
	one := key("web", 1)
	// contested: our element 1, which peer p says in its table at 20 s that it has, after having said so since 10 s.
	contested := func(p wire.ServerID, since float64, before ...any) []event {
		return given(append(before, friend(p), says(since, uint64(p), here(p, one)),
			says(since, uint64(p), tableOf(p, false, entry("web", p, 1))))...)
	}
	again := func(p wire.ServerID, at float64) []event { return given(says(at, uint64(p), here(p, one))) }
	taken := given(starts(0), friend(9, 1), closes(0, 9), passes(5)) // element 1 came from 9, and is not registered here
	checkRules(t, []rule{
		{
			name: "registered here: ours", given: given(starts(0), registers(0, "web", 1), friend(8), says(10, 8, here(8, one))),
			when: says(10, 8, tableOf(8, false, entry("web", 8, 1))),
		},
		{
			name: "still ours", given: given(contested(8, 10, starts(0), registers(0, "web", 1)), again(8, 131)),
			when: says(131, 8, tableOf(8, false, entry("web", 8, 1))),
		},
		{
			name: "for so long that the identifiers settle it", given: given(contested(8, 10, starts(0), registers(0, "web", 1)), again(8, 132)),
			when: says(132, 8, tableOf(8, false, entry("web", 8, 1))), want: []string{"learn web 1 of 8"},
		},
		{
			name: "time out of sight does not count",
			given: given(contested(8, 10, starts(0), registers(0, "web", 1)), closes(20, 8), accepts(131, 80), says(131, 80, here(8, one)),
				says(131, 80, tableOf(8, false)), says(145, 80, here(8, one))),
			when: says(145, 80, tableOf(8, false, entry("web", 8, 1))),
		},
		{
			name: "in favour of the winner", given: given(contested(3, 10, starts(0), registers(0, "web", 1)), again(3, 132)),
			when: says(132, 3, tableOf(3, false, entry("web", 3, 1))),
		},
		{
			name: "taken over: the winner's", given: given(taken, friend(8), says(10, 8, here(8, one))),
			when: says(10, 8, tableOf(8, false, entry("web", 8, 1))), want: []string{"learn web 1 of 8"},
		},
		{
			name: "taken over: ours, against a loser", given: given(taken, friend(3), says(10, 3, here(3, one))),
			when: says(10, 3, tableOf(3, false, entry("web", 3, 1))),
		},
		{
			name: "until that lasts", given: given(contested(3, 10, taken), again(3, 71)),
			when: says(71, 3, tableOf(3, false, entry("web", 3, 1))), want: []string{"learn web 1 of 3"},
		},
		{
			name: "taken over from just this one: its own", when: says(10, 3, tableOf(3, false, entry("web", 3, 1))),
			given: given(starts(0), friend(3, 1), closes(0, 3), passes(5), accepts(10, 3), says(10, 3, here(3, one))),
			want:  []string{"learn web 1 of 3"},
		},
	})
}

// RFC 5353 3.2.3: a table in parts.
func TestTableInParts(t *testing.T) {
	ask := &wire.HandleTableRequest{Servers: between(7, self)}
	own := &wire.HandleTableRequest{Servers: between(7, self), OwnChildren: true}
	full := given(starts(0), friend(7), registers(0, "db", 1), registers(0, "web", 1), registers(0, "web", 2), friend(8, 3))
	first := given(full, says(1, 7, ask))
	two := func(c *enrp.Config) { c.MaxTableElements = 2 }
	checkRules(t, []rule{
		{name: "the first", given: full, when: says(1, 7, ask), want: []string{"7 <- HANDLE_TABLE_RESPONSE to 7 R=false M=true db: 1 of 5 web: 1 of 5"}},
		{name: "the next", given: first, when: says(1, 7, ask), want: []string{"7 <- HANDLE_TABLE_RESPONSE to 7 R=false M=false web: 2 of 5 3 of 8"}},
		{
			name: "after the last it begins anew", given: given(first, says(1, 7, ask)), when: says(1, 7, ask),
			want: []string{"7 <- HANDLE_TABLE_RESPONSE to 7 R=false M=true db: 1 of 5 web: 1 of 5"},
		},
		{
			name: "too late, and it begins anew", given: given(first, passes(6)), when: says(6, 7, ask),
			want: []string{"7 <- HANDLE_TABLE_RESPONSE to 7 R=false M=true db: 1 of 5 web: 1 of 5"},
		},
		{
			name: "another table", given: first, when: says(1, 7, own),
			want: []string{"7 <- HANDLE_TABLE_RESPONSE to 7 R=false M=true db: 1 of 5 web: 1 of 5"},
		},
		{
			name: "in another session", given: given(first, accepts(2, 70), says(2, 70, here(7))), when: says(2, 70, ask),
			want: []string{"70 <- HANDLE_TABLE_RESPONSE to 7 R=false M=true db: 1 of 5 web: 1 of 5"},
		},
		{
			name: "an element that goes meanwhile", given: given(first, leaves(1, "web", 2)), when: says(1, 7, ask),
			want: []string{"7 <- HANDLE_TABLE_RESPONSE to 7 R=false M=false web: 3 of 8"},
		},
	}, two)
	checkRules(t, []rule{
		{
			name: "too many at once", given: first, when: says(1, 8, &wire.HandleTableRequest{Servers: between(8, self)}),
			want: []string{"8 <- HANDLE_TABLE_RESPONSE to 8 R=true M=false"},
		},
		{
			name: "one of them gave up", given: given(first, passes(6)), when: says(6, 8, &wire.HandleTableRequest{Servers: between(8, self)}),
			want: []string{"8 <- HANDLE_TABLE_RESPONSE to 8 R=false M=true db: 1 of 5 web: 1 of 5"},
		},
	}, two, func(c *enrp.Config) { c.MaxDownloads = 1 })
}

// A part has at most 1400 bytes, as rsplib has it, and all parts together are the table.
func TestPartSize(t *testing.T) {
	w := newWorld()
	for _, e := range given(starts(0), friend(7)) {
		w.play(e)
	}
	const elements = 1000
	for i := range elements {
		w.play(registers(0, []wire.PoolHandle{"a", "bcd", "efghijklm"}[i%3], wire.PEID(i+1)))
	}
	seen, now := 0, w.start.Add(time.Second)
	for more := true; more; {
		actions := w.core.Handle(now, enrp.From{Session: 7}, &wire.HandleTableRequest{Servers: between(7, self)})
		m := actions[0].(enrp.Send).Message.(*wire.HandleTableResponse)
		b, err := wire.AppendENRP(nil, m)
		if err != nil || len(b) > 1400 || m.More && len(b) < 1300 {
			t.Fatalf("%d bytes, M=%v, %v", len(b), m.More, err)
		}
		for _, e := range m.Entries {
			seen += len(e.Elements)
		}
		more = m.More
	}
	if seen != elements {
		t.Errorf("%d elements of %d", seen, elements)
	}
}
