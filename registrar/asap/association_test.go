// SPDX-License-Identifier: Apache-2.0

package asap_test

import "testing"

func TestDeregistration(t *testing.T) {
	checkRules(t, []rule{
		{
			"RFC 5352 3.2: the element leaves, and the pool stays",
			[]event{registers(0, "a", "web", 1), registers(0, "b", "web", 2)},
			deregisters(1, "a", "web", 1),
			[]string{"web: 2 up, 1 deregistered", "a <- deregistration web 1"},
		},
		{
			"RFC 5352 3.2: the last element takes the pool with it",
			[]event{registers(0, "a", "web", 1)},
			deregisters(1, "a", "web", 1),
			[]string{"web: 1 deregistered", "a <- deregistration web 1"},
		},
		{
			"RFC 5352 3.1 rule 1: which may then come back with another policy",
			[]event{registers(0, "a", "web", 1), deregisters(1, "a", "web", 1)},
			registers(2, "a", "web", 1, wrr(1)),
			[]string{"web: 1 up", "a <- registration R=0 web 1"},
		},
		{
			"RFC 5352 3.2: without any record of the element it is granted",
			[]event{registers(0, "a", "web", 1)},
			deregisters(1, "b", "web", 2),
			[]string{"b <- deregistration web 2"},
		},
		{
			"RFC 5352 2.2.2: deregistration is not allowed by proxy",
			[]event{registers(0, "a", "web", 1)},
			deregisters(1, "b", "web", 1),
			[]string{"b <- deregistration web 1 cause 0xa"},
		},
		{
			"RFC 5352 3.2: another session of the same identity may",
			[]event{registers(0, "a", "web", 1), closes(1, "a")},
			deregisters(2, "a.2", "web", 1),
			[]string{"web: 1 deregistered", "a.2 <- deregistration web 1"},
		},
		{
			"without proof nothing happens",
			[]event{registers(0, "a", "web", 1)},
			deregisters(1, "nobody", "web", 1),
			nil,
		},
	})
}

func TestAssociationEnds(t *testing.T) {
	gone := []event{registers(0, "a", "web", 1), registers(0, "a", "web", 2), registers(0, "b", "web", 3), closes(1, "a")}
	checkRules(t, []rule{
		{
			"its elements are away at once, in one change",
			gone[:3], closes(1, "a"),
			[]string{"web: 1 away, 2 away, 3 up"},
		},
		{"it can end only once", gone, closes(1.5, "a"), nil},
		{"within the grace nothing is lost", gone, passes(2.9), nil},
		{
			"after the grace they are lost", gone, passes(3),
			[]string{"web: 3 up, 1 lost, 2 lost"},
		},
		{
			"who is away is not resolved", gone, resolves(1.5, "r", "web"),
			[]string{"r <- resolution A=false web 3 round-robin"},
		},
		{
			"back within the grace, from a new session", gone, registers(2, "a.2", "web", 1),
			[]string{"web: 1 up, 2 away, 3 up", "a.2 <- registration R=0 web 1"},
		},
		{
			"who is back stays", append(gone, registers(2, "a.2", "web", 1)), passes(3),
			[]string{"web: 1 up, 3 up, 2 lost"},
		},
		{
			"somebody else cannot take its place", gone, registers(2, "b", "web", 1),
			[]string{"b <- registration R=1 web 1 cause 0x4"},
		},
		{
			"a registration from a second session supersedes the first",
			[]event{registers(0, "a", "web", 1), registers(1, "a.2", "web", 1)},
			closes(2, "a"), nil,
		},
		{
			"and the element goes with the second",
			[]event{registers(0, "a", "web", 1), registers(1, "a.2", "web", 1), closes(2, "a")},
			closes(3, "a.2"),
			[]string{"web: 1 away"},
		},
		{
			"two sessions of one identity, each with its own element",
			[]event{registers(0, "a", "web", 1), registers(0, "a.2", "web", 2)},
			closes(1, "a"),
			[]string{"web: 1 away, 2 up"},
		},
		{
			"who is away is not probed", gone[:4], passes(2.99), nil,
		},
	})
}

func TestRegistrationLife(t *testing.T) {
	for60 := []event{registers(0, "a", "web", 1, life(4))}
	checkRules(t, []rule{
		{"it lasts as long as registered", for60, passes(3.99), nil},
		{
			"RFC 5352 3.2: a response indicates the removal", for60, passes(4),
			[]string{"web: 1 expired", "a <- deregistration web 1"},
		},
		{
			"RFC 5352 3.1: a re-registration renews it",
			append(for60, registers(3, "a", "web", 1, life(4))), passes(4.99), nil,
		},
		{
			"who is away cannot be told",
			append(for60, closes(3, "a")), passes(4),
			[]string{"web: 1 expired"},
		},
	})
}
