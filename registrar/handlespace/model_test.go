// SPDX-License-Identifier: Apache-2.0

package handlespace_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

// The model is the plainest thing that can be right: a list of registrations, newest last.
type model []row

type row struct {
	key     handlespace.Key
	by      handlespace.Identity
	element wire.PoolElement
	state   handlespace.State
}

func (m model) index(k handlespace.Key) int {
	return slices.IndexFunc(m, func(r row) bool { return r.key == k })
}

// accepts follows RFC 5352 3.1 by looking at any other member: all agree, so one is enough.
func (m model) accepts(by handlespace.Identity, k handlespace.Key, e wire.PoolElement) bool {
	for _, r := range m {
		if r.key.Pool != k.Pool {
			continue
		}
		same := r.element.Policy.Type == e.Policy.Type && r.element.User.Protocol == e.User.Protocol &&
			r.element.User.Use == e.User.Use
		if !same || r.key.PE == k.PE && r.by.Name() != by.Name() {
			return false
		}
	}
	return true
}

func (m *model) register(by handlespace.Identity, k handlespace.Key, e wire.PoolElement) {
	r := row{k, by, e, handlespace.Up}
	if i := m.index(k); i >= 0 {
		(*m)[i] = r
		return
	}
	*m = append(*m, r)
}

func (m *model) remove(k handlespace.Key) bool {
	i := m.index(k)
	if i >= 0 {
		*m = slices.Delete(*m, i, i+1)
	}
	return i >= 0
}

// FuzzSpace plays random operations against the model. The seed and length are the input, so that a crasher replays.
func FuzzSpace(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(seed, uint16(500))
	}
	f.Fuzz(func(t *testing.T, seed uint64, steps uint16) {
		w := newWorld(seed)
		for i := range min(steps, 2000) {
			w.step(t)
			w.check(t)
			if t.Failed() {
				t.Fatalf("at step %d", i)
			}
		}
	})
}

// world is a Space, the model of it, and a few identities that fight over a few identifiers in a few pools.
type world struct {
	rnd    *rand.Rand
	space  *handlespace.Space
	model  model
	peers  []handlespace.Identity
	before map[wire.PoolHandle]seen
}

// seen is a snapshot and what it said when it was taken.
type seen struct {
	pool *handlespace.Pool
	text string
}

func newWorld(seed uint64) *world {
	w := &world{rnd: rand.New(rand.NewPCG(seed, 1)), space: handlespace.New(), before: map[wire.PoolHandle]seen{}}
	for id := range uint64(6) {
		w.peers = append(w.peers, identity(id, fmt.Sprintf("pe-%d", id/2))) // two sessions each
	}
	return w
}

func (w *world) step(t *testing.T) {
	k := handlespace.Key{Pool: wire.PoolHandle(fmt.Sprint("pool-", w.rnd.IntN(3))), PE: wire.PEID(w.rnd.IntN(6))}
	by := w.peers[w.rnd.IntN(len(w.peers))]
	if p := w.space.Pool(k.Pool); p != nil {
		w.before[k.Pool] = seen{p, describe(p)}
	}
	switch w.rnd.IntN(8) {
	case 0:
		w.deregister(t, by, k)
	case 1:
		if p, _ := w.space.Remove(k); (p != nil) != w.model.remove(k) {
			t.Errorf("Remove(%v) and the model disagree", k)
		}
	case 2:
		if i := w.model.index(k); i >= 0 {
			w.model[i].state = handlespace.Away
			w.space.SetState(k, handlespace.Away)
		}
	default:
		w.register(t, by, k)
	}
}

func (w *world) register(t *testing.T, by handlespace.Identity, k handlespace.Key) {
	e := tcp(k.PE, uint16(80+w.rnd.IntN(2)))
	switch w.rnd.IntN(10) {
	case 0:
		e = sctp(k.PE, wire.TransportUse(w.rnd.IntN(2)))
	case 1:
		e.Policy = wire.WeightedRoundRobin(w.rnd.Uint32N(3))
	}
	accepts := w.model.accepts(by, k, e)
	_, err := w.space.Register(home, by, k.Pool, e)
	if (err == nil) != accepts {
		t.Errorf("Register(%v): %v, the model accepts: %v", k, err, accepts)
	}
	if accepts {
		w.model.register(by, k, e)
	}
}

func (w *world) deregister(t *testing.T, by handlespace.Identity, k handlespace.Key) {
	i := w.model.index(k)
	foreign := i >= 0 && w.model[i].by.Name() != by.Name()
	_, _, err := w.space.Deregister(by, k)
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
	pools, owned := map[wire.PoolHandle]int{}, map[string]int{}
	for _, r := range w.model {
		pools[r.key.Pool]++
		owned[r.by.Name()]++
		e, ok := w.space.Find(r.key)
		if !ok || e.State != r.state || e.User.Port != r.element.User.Port || e.Identity != r.by.Name() {
			t.Errorf("%v is %+v, want %+v", r.key, e, r)
		}
		if w.space.Owner(r.key) != r.by {
			t.Errorf("%v belongs to session %d, want %d", r.key, w.space.Owner(r.key).Session(), r.by.Session())
		}
	}
	w.checkPools(t, pools)
	for _, by := range w.peers {
		if n := w.space.NumOwned(by.Name()); n != owned[by.Name()] || n != len(w.space.Owned(by.Name())) {
			t.Errorf("%s owns %d, want %d", by.Name(), n, owned[by.Name()])
		}
	}
}

func (w *world) checkPools(t *testing.T, want map[wire.PoolHandle]int) {
	if w.space.NumPools() != len(want) {
		t.Errorf("%d pools, want %d", w.space.NumPools(), len(want))
	}
	for p := range w.space.Pools() {
		if p.Len() != want[p.Handle()] {
			t.Errorf("pool %q has %d elements, want %d", p.Handle(), p.Len(), want[p.Handle()])
		}
		if !slices.IsSortedFunc(p.Elements(), func(a, b handlespace.Element) int { return int(a.ID) - int(b.ID) }) {
			t.Errorf("pool %q is not in order", p.Handle())
		}
	}
	for h, old := range w.before {
		if describe(old.pool) != old.text {
			t.Errorf("the old snapshot of %q changed", h)
		}
		if now := w.space.Pool(h); now != nil && (now == old.pool) != (describe(now) == old.text) {
			t.Errorf("pool %q: a new snapshot for no change, or the old one for a change", h)
		}
	}
	clear(w.before)
}

// describe is all that a snapshot shows, but for its generation.
func describe(p *handlespace.Pool) string {
	return fmt.Sprint(p.Handle(), p.Policy(), p.Protocol(), p.Use(), p.Elements())
}
