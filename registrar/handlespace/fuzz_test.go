// SPDX-License-Identifier: Apache-2.0

package handlespace_test

import (
	"fmt"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

// FuzzSpace plays random operations against the model. The seed and length are the input, so that a crasher replays.
func FuzzSpace(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(seed, uint16(300), uint16(6))
	}
	for seed := range uint64(2) { // many elements, mostly added first
		f.Add(seed, uint16(2000), uint16(400))
	}
	f.Fuzz(func(t *testing.T, seed uint64, steps, ids uint16) {
		w := newWorld(seed, int(ids%1000)+1)
		for i := range min(steps, 2000) {
			w.step(t)
			if w.ids < 10 || i%100 == 0 {
				w.check(t)
			}
			if t.Failed() {
				t.Fatalf("at step %d", i)
			}
		}
	})
}

// world is a Space, the model of it, and a few identities that fight over a few identifiers in a few pools.
type world struct {
	rnd    *rand.Rand
	ids    int
	space  *handlespace.Space
	model  model
	peers  []handlespace.Identity
	before []seen
}

// seen is a snapshot and what it said when it was taken.
type seen struct {
	pool *handlespace.Pool
	text string
}

func newWorld(seed uint64, ids int) *world {
	w := &world{rnd: rand.New(rand.NewPCG(seed, 1)), ids: ids, space: handlespace.New()}
	for id := range uint64(6) {
		w.peers = append(w.peers, identity(id, fmt.Sprintf("pe-%d", id/2))) // two sessions each
	}
	return w
}

func (w *world) step(t *testing.T) {
	k := handlespace.Key{Pool: wire.PoolHandle(fmt.Sprint("pool-", w.rnd.IntN(3))), PE: wire.PEID(w.rnd.IntN(w.ids))}
	by := w.peers[w.rnd.IntN(len(w.peers))]
	if p := w.space.Pool(k.Pool); p != nil && w.rnd.IntN(1+w.ids/10) == 0 {
		w.before = append(w.before, seen{p, describe(p)})
	}
	switch i := w.model.index(k); w.rnd.IntN(10) {
	case 0:
		w.deregister(t, by, k)
	case 1:
		if e := w.space.Remove(k); (e != nil) != w.model.remove(k) {
			t.Errorf("Remove(%v) and the model disagree", k)
		}
	case 2:
		if i >= 0 && !w.space.SetState(k, handlespace.Away) != (w.model[i].state == handlespace.Away) {
			t.Errorf("SetState(%v) and the model disagree on a change", k)
		} else if i >= 0 {
			w.model[i].state = handlespace.Away
		}
	case 3:
		if to := w.home(); i >= 0 && !w.space.Rehome(k, to) != (w.model[i].home == to) {
			t.Errorf("Rehome(%v) and the model disagree on a change", k)
		} else if i >= 0 {
			w.model[i].home = to
		}
	case 4, 5:
		w.register(t, handlespace.Identity{}, k)
	default:
		w.register(t, by, k)
	}
}

func (w *world) home() wire.ServerID { return wire.ServerID(1 + w.rnd.IntN(3)) }

// register is Learn if by is nobody.
func (w *world) register(t *testing.T, by handlespace.Identity, k handlespace.Key) {
	e := tcp(k.PE, uint16(80+w.rnd.IntN(2)))
	switch w.rnd.IntN(10) {
	case 0:
		e = sctp(k.PE, wire.TransportUse(w.rnd.IntN(2)))
	case 1:
		e.Policy = wire.WeightedRoundRobin(w.rnd.Uint32N(3))
	}
	to, before, accepts := w.home(), "", w.model.accepts(by, k, e)
	if e := w.space.Find(k); e != nil {
		before = fmt.Sprint(*e)
	}
	added, changed, err := w.enter(to, by, k.Pool, e)
	if (err == nil) != accepts {
		t.Fatalf("enter(%v): %v, the model accepts: %v", k, err, accepts)
	}
	if !accepts {
		return
	}
	w.model.enter(row{k, by, to, e, handlespace.Up})
	if added != w.space.Find(k) || changed != (fmt.Sprint(*added) != before) {
		t.Errorf("enter(%v): %v, changed %v: the pool shows otherwise", k, added, changed)
	}
}

func (w *world) enter(
	to wire.ServerID, by handlespace.Identity, h wire.PoolHandle, e wire.PoolElement,
) (*handlespace.Element, bool, error) {
	if by.IsZero() {
		return w.space.Learn(to, h, e)
	}
	return w.space.Register(to, by, h, e)
}

func (w *world) deregister(t *testing.T, by handlespace.Identity, k handlespace.Key) {
	i := w.model.index(k)
	foreign := i >= 0 && !w.model[i].by.IsZero() && w.model[i].by.Name() != by.Name()
	_, err := w.space.Deregister(by, k)
	if (err != nil) != foreign {
		t.Errorf("Deregister(%v): %v, another's: %v", k, err, foreign)
	}
	if !foreign {
		w.model.remove(k)
	}
}

func (w *world) check(t *testing.T) {
	if w.space.Len() != len(w.model) {
		t.Errorf("%d elements, want %d", w.space.Len(), len(w.model))
	}
	pools, slots, owned := map[wire.PoolHandle]int{}, map[string]bool{}, map[string]int{}
	for _, r := range w.model {
		pools[r.key.Pool]++
		owned[r.by.Name()]++
		w.checkElement(t, r)
		slot := fmt.Sprint(r.key.Pool, w.space.Find(r.key).Slot())
		if slots[slot] {
			t.Errorf("%v: its slot is another's", r.key)
		}
		slots[slot] = true
	}
	w.checkPools(t, pools)
	w.checkHomes(t)
	for _, by := range w.peers {
		if n := w.space.NumOwned(by.Name()); n != owned[by.Name()] || n != len(w.space.Owned(by.Name())) {
			t.Errorf("%s owns %d, want %d", by.Name(), n, owned[by.Name()])
		}
	}
}

func (w *world) checkElement(t *testing.T, r row) {
	e := w.space.Find(r.key)
	if e == nil {
		t.Fatalf("%v is not there", r.key)
	}
	if e.State != r.state || e.User.Port != r.element.User.Port || e.Identity() != r.by.Name() || e.Home != r.home {
		t.Errorf("%v is %+v, want %+v", r.key, e, r)
	}
	if owner := w.space.Owner(r.key); owner != r.by {
		t.Errorf("%v belongs to session %d, want %d", r.key, owner.Session(), r.by.Session())
	}
	if !r.by.IsZero() && !slices.Contains(w.space.Owned(r.by.Name()), r.key) {
		t.Errorf("%v is not in its owner's list", r.key)
	}
}

func (w *world) checkPools(t *testing.T, want map[wire.PoolHandle]int) {
	if w.space.NumPools() != len(want) {
		t.Errorf("%d pools, want %d", w.space.NumPools(), len(want))
	}
	for p := range w.space.Pools() {
		all := slices.Collect(p.All())
		if p.Len() != want[p.Handle()] || p.Len() != len(all) {
			t.Errorf("pool %q has %d elements, shows %d, want %d", p.Handle(), p.Len(), len(all), want[p.Handle()])
		}
		if !slices.IsSortedFunc(all, func(a, b *handlespace.Element) int { return int(a.ID) - int(b.ID) }) {
			t.Errorf("pool %q is not in order", p.Handle())
		}
	}
	for _, old := range w.before {
		if describe(old.pool) != old.text {
			t.Errorf("the old snapshot of %q changed", old.pool.Handle())
		}
		now := w.space.Pool(old.pool.Handle())
		if now != nil && now == old.pool && describe(now) != old.text {
			t.Errorf("pool %q: the old snapshot for a change", now.Handle())
		}
	}
	if len(w.before) > 9 { // old ones must last, but not for ever
		w.before = slices.Delete(w.before, 0, 5)
	}
}

func (w *world) checkHomes(t *testing.T) {
	var homes []wire.ServerID
	for id := range wire.ServerID(5) {
		rows := w.model.sorted(func(r row) bool { return r.home == id })
		if len(rows) > 0 {
			homes = append(homes, id)
		}
		if n := w.space.NumChildren(id); n != len(rows) {
			t.Errorf("home %v has %d children, want %d", id, n, len(rows))
		}
		if got, want := w.space.Checksum(id), w.model.checksum(id); got != want {
			t.Errorf("home %v has checksum %#04x, want %#04x", id, got, want)
		}
		after := somewhere(w.rnd)
		checkWalk(t, w.space.Children(id, after), rows, after)
	}
	if got := w.space.Homes(); !slices.Equal(got, homes) {
		t.Errorf("homes %v, want %v", got, homes)
	}
	after := somewhere(w.rnd)
	checkWalk(t, w.space.All(after), w.model.sorted(func(row) bool { return true }), after)
}

func checkWalk(t *testing.T, got iter.Seq2[handlespace.Key, *handlespace.Element], rows []row, after handlespace.Key) {
	for len(rows) > 0 && after != (handlespace.Key{}) && !isAfter(rows[0].key, after) {
		rows = rows[1:]
	}
	for k, e := range got {
		if len(rows) == 0 || k != rows[0].key || e.ID != k.PE || e.User.Port != rows[0].element.User.Port {
			t.Errorf("after %v: %v, want %v", after, k, rows)
			return
		}
		rows = rows[1:]
	}
	if len(rows) > 0 {
		t.Errorf("after %v: %v is missing", after, rows[0].key)
	}
}

func isAfter(k, o handlespace.Key) bool { return k.Pool > o.Pool || k.Pool == o.Pool && k.PE > o.PE }

// describe is all that a snapshot shows, but for its generation.
func describe(p *handlespace.Pool) string {
	text := fmt.Sprint(p.Handle(), p.Policy(), p.Protocol(), p.Use())
	for e := range p.All() {
		text += fmt.Sprint(*e)
	}
	return text
}
