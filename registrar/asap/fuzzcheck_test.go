// SPDX-License-Identifier: Apache-2.0

package asap_test

import (
	"slices"
	"testing"

	"github.com/weir-lb/weir/registrar/asap"
	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

// check follows what the Core decided, and compares with what it holds.
func (p *player) check(t *testing.T, actions []asap.Action) {
	t.Helper()
	p.checkOrder(t, actions)
	for _, a := range actions {
		switch a := a.(type) {
		case asap.Changed:
			p.learn(t, a)
		case asap.Updated:
			p.hear(t, a)
		case asap.Send:
			if _, err := wire.AppendASAP(nil, a.Message); err != nil {
				t.Fatalf("cannot be sent: %v", err)
			}
		case asap.Close:
			delete(p.open, a.Session)
		}
	}
	p.checkSpace(t)
	p.checkCounters(t)
}

// checkOrder: observers first, then peers, then Close.
func (p *player) checkOrder(t *testing.T, actions []asap.Action) {
	t.Helper()
	rank := func(a asap.Action) int {
		switch a.(type) {
		case asap.Refused:
			return 0
		case asap.Changed:
			return 1
		case asap.Updated:
			return 2
		case asap.Send:
			return 3
		case asap.Reach:
			return 4
		}
		return 5
	}
	if !slices.IsSortedFunc(actions, func(a, b asap.Action) int { return rank(a) - rank(b) }) {
		t.Fatalf("out of order: %T", actions)
	}
}

// learn follows a Changed as an observer does, and checks that it says just what happened: who is no longer there has
// departed, and who departed is no longer there.
func (p *player) learn(t *testing.T, a asap.Changed) {
	t.Helper()
	h := a.Pool.Handle()
	for _, d := range a.Departed {
		k := handlespace.Key{Pool: h, PE: d.Element.ID}
		if p.elements[k] == nil {
			t.Fatalf("%v departed, but was never there", k)
		}
		delete(p.elements, k)
	}
	for k := range p.elements {
		if k.Pool == h && a.Pool.Find(k.PE) == nil {
			t.Fatalf("%v is gone without a departure", k)
		}
	}
	for e := range a.Pool.All() {
		p.elements[handlespace.Key{Pool: h, PE: e.ID}] = e
	}
}

// hear follows an Updated as another registrar does.
func (p *player) hear(t *testing.T, a asap.Updated) {
	t.Helper()
	if a.Element.Home != server {
		t.Fatalf("we speak for %v", a.Element.Home)
	}
	k := handlespace.Key{Pool: a.Pool, PE: a.Element.ID}
	if a.Action == wire.ActionDeletePE {
		delete(p.updated, k)
	} else {
		p.updated[k] = true
	}
}

// checkSpace: the observer knows what is there, and so do the other registrars of what is ours, but for what came to us by
// a takeover, which they learn as such.
func (p *player) checkSpace(t *testing.T) {
	t.Helper()
	space, known, perIdentity := p.core.Space(), 0, map[string]int{}
	for k, e := range space.All(handlespace.Key{}) {
		known++
		if p.elements[k] != e {
			t.Fatalf("%v is not as the observer knows it", k)
		}
		p.checkElement(t, k, e, space.Owner(k))
		if e.Identity() != "" {
			perIdentity[e.Identity()]++
		}
		if e.Home != server {
			delete(p.updated, k) // its new home told them
		} else if e.Identity() == "" {
			p.updated[k] = true // as TAKEOVER_SERVER told them
		} else if !p.updated[k] {
			t.Fatalf("%v is ours, and nobody was told", k)
		}
	}
	if known != len(p.elements) || known > maxPlayed {
		t.Fatalf("%d elements, the observer knows of %d, at most %d allowed", known, len(p.elements), maxPlayed)
	}
	for k := range p.updated {
		if e := space.Find(k); e == nil || e.Home != server {
			t.Fatalf("%v is not ours any more, and nobody was told", k)
		}
	}
	for name, n := range perIdentity {
		if n > maxPlayedEach {
			t.Fatalf("%s has %d elements", name, n)
		}
	}
}

func (p *player) checkElement(t *testing.T, k handlespace.Key, e *handlespace.Element, owner handlespace.Identity) {
	t.Helper()
	delete(p.open, owner.Session()) // it is the element's now
	if owner.Name() != e.Identity() {
		t.Fatalf("%v is %q's, but owned by %q", k, e.Identity(), owner.Name())
	}
	if e.Home != server && (e.Identity() != "" || e.State != handlespace.Up) {
		t.Fatalf("%v is at home at %v, and here %v and %q's", k, e.Home, e.State, e.Identity())
	}
	switch {
	case owner.IsZero():
	case !p.unsecured && (!slices.Contains([]string{"a", "b"}, e.Identity()) || k.Pool == "bank"):
		t.Fatalf("%q serves %q", e.Identity(), k.Pool)
	case p.unsecured && owner.Kind() == handlespace.Anonymous:
		t.Fatalf("%q serves %q", e.Identity(), k.Pool)
	}
}

// checkCounters: what came and went is what is there; what is ours has a deadline, since it is probed, or due an answer, or
// has a grace.
func (p *player) checkCounters(t *testing.T) {
	t.Helper()
	n := p.core.Counters()
	joined := n.Registrations + n.Learned
	var left uint64
	for _, c := range n.Departed {
		left += c
	}
	if joined-left != uint64(n.Elements) || n.Elements != len(p.elements) {
		t.Fatalf("%d joined, %d left, %d are there", joined, left, n.Elements)
	}
	if d := p.core.Deadline(); d.IsZero() && n.Elements > n.Foreign {
		t.Fatalf("no deadline with %d elements of ours", n.Elements-n.Foreign)
	}
	if n.Yielded > n.Foreign {
		t.Fatalf("%d of %d foreign elements are yielded", n.Yielded, n.Foreign)
	}
	if n.Subscriptions > maxPlayedSubs {
		t.Fatalf("%d subscriptions", n.Subscriptions)
	}
}
