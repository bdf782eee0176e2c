// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"cmp"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/policy"
	"github.com/weir-lb/weir/registrar/wire"
)

// reference is RFC 5356 word by word: a list of all elements, sorted anew for each resolution.
type reference struct {
	policy  wire.PolicyType
	members []*member
	next    wire.PEID // 4.1.2: the head of the circular list
	now     *big.Rat  // 4.2.2: the time of the occurrence that was used last
	marks   int
}

type member struct {
	element *handlespace.Element
	time    *big.Rat // 4.2.2: its next occurrence in the circular list
	weight  uint32   // that it entered the list with; 0: it is not in
	counter uint64   // 5.2.2
	mark    int      // when it was the first of its equals
}

func (r *reference) find(id wire.PEID) *member {
	i := slices.IndexFunc(r.members, func(m *member) bool { return m.element.ID == id })
	if i < 0 {
		return nil
	}
	return r.members[i]
}

func (r *reference) put(e *handlespace.Element, registered bool) {
	m := r.find(e.ID)
	if m == nil {
		m = &member{}
		r.members = append(r.members, m)
	}
	m.element = e
	if registered {
		m.counter = 0
	}
	weight, _ := e.Policy.Weight()
	if e.State != handlespace.Up {
		weight = 0
	}
	if weight != m.weight {
		m.weight = weight
		m.time = nil
	}
	if weight > 0 && m.time == nil { // the first occurrence that is not before now
		m.time = big.NewRat(1, 2*int64(weight))
		if r.now != nil {
			m.time = firstFrom(r.now, weight)
		}
	}
}

// firstFrom is the smallest k/w + 1/(2w) that is not less than now.
func firstFrom(now *big.Rat, weight uint32) *big.Rat {
	w := new(big.Rat).SetInt64(int64(weight))
	k := new(big.Rat).Mul(now, w)
	k.Sub(k, big.NewRat(1, 2))
	up := new(big.Int).Div(new(big.Int).Add(k.Num(), new(big.Int).Sub(k.Denom(), big.NewInt(1))), k.Denom())
	t := new(big.Rat).SetInt(up)
	t.Add(t, big.NewRat(1, 2))
	return t.Quo(t, w)
}

func (r *reference) remove(id wire.PEID) {
	r.members = slices.DeleteFunc(r.members, func(m *member) bool { return m.element.ID == id })
}

func (m *member) value() *big.Int {
	p := m.element.Policy
	load, _ := p.Load()
	degradation, _ := p.Degradation()
	v := new(big.Int).SetUint64(uint64(load))
	switch p.Type {
	case wire.PolicyPriority:
		priority, _ := p.Priority()
		v.SetInt64(-int64(priority))
	case wire.PolicyLeastUsedWithDegradation:
		v.Add(v, new(big.Int).Mul(big.NewInt(int64(degradation)), new(big.Int).SetUint64(m.counter)))
	case wire.PolicyPriorityLeastUsed:
		v.Add(v, big.NewInt(int64(degradation)))
	}
	return v
}

func (r *reference) compare(a, b *member) int {
	byID := cmp.Compare(a.element.ID, b.element.ID)
	switch r.policy {
	case wire.PolicyRoundRobin:
		return cmp.Or(cmp.Compare(a.element.ID-r.next, b.element.ID-r.next), byID)
	case wire.PolicyWeightedRoundRobin:
		return cmp.Or(a.time.Cmp(b.time), byID)
	}
	return cmp.Or(a.value().Cmp(b.value()), cmp.Compare(a.mark, b.mark), byID)
}

func (r *reference) choose(limit int) []*member {
	var order []*member
	for _, m := range r.members {
		if m.element.State == handlespace.Up && (r.policy != wire.PolicyWeightedRoundRobin || m.weight > 0) {
			order = append(order, m)
		}
	}
	slices.SortFunc(order, r.compare)
	order = order[:min(limit, len(order))]
	if len(order) == 0 {
		return nil
	}
	r.next = order[0].element.ID + 1
	if r.policy == wire.PolicyWeightedRoundRobin {
		r.now = order[0].time
		order[0].time = new(big.Rat).Add(r.now, big.NewRat(1, int64(order[0].weight)))
	}
	var last *big.Int
	for _, m := range order {
		value := m.value()
		if last == nil || value.Cmp(last) != 0 {
			r.marks++
			m.mark = r.marks
		}
		last = value
		m.counter++
	}
	return order
}

// The policies that are not random choose what the reference chooses, whatever happens to the pool, and of many elements.
func TestSelectorIsTheReference(t *testing.T) {
	for _, size := range []uint32{5, 50, 400} {
		for name, element := range everyPolicy(seeded()) {
			if name == "rand" || name == "wrand" || name == "rlu" {
				continue
			}
			t.Run(name, func(t *testing.T) {
				kind := element().Type
				d := &duel{newSpace(), policy.New(kind), &reference{policy: kind}, rand.New(rand.NewPCG(uint64(size), 1))}
				for range size { // most are there from the beginning
					d.register(t, wire.PEID(d.rnd.Uint32N(size)), element())
				}
				for range 2000 / (1 + size/100) {
					d.step(t, wire.PEID(d.rnd.Uint32N(size)), element())
				}
			})
		}
	}
}

type duel struct {
	space
	selector  *policy.Selector
	reference *reference
	rnd       *rand.Rand
}

func (d *duel) register(t *testing.T, id wire.PEID, p wire.Policy) {
	changed := d.add(t, id, p)
	d.selector.Registered(d.Find(key(id)), changed)
	d.reference.put(d.Find(key(id)), true)
}

func (d *duel) step(t *testing.T, id wire.PEID, p wire.Policy) {
	e := d.Find(key(id))
	switch d.rnd.IntN(6) {
	case 0:
		d.register(t, id, p)
	case 1:
		if e != nil {
			d.Remove(key(id))
			d.selector.Remove(e)
			d.reference.remove(id)
		}
	case 2:
		if e != nil {
			d.SetState(key(id), handlespace.State(d.rnd.IntN(2)))
			d.selector.Put(d.Find(key(id)))
			d.reference.put(d.Find(key(id)), false)
		}
	default:
		d.resolve(t, []int{1, 1, 1, 3, 20, math.MaxInt}[d.rnd.IntN(6)])
	}
	if d.selector.Len() != len(d.reference.members) {
		t.Fatalf("%d elements, want %d", d.selector.Len(), len(d.reference.members))
	}
}

func (d *duel) resolve(t *testing.T, limit int) {
	t.Helper()
	var got, want []*handlespace.Element
	got = d.selector.Select(nil, limit)
	chosen := d.reference.choose(limit)
	for _, m := range chosen {
		want = append(want, m.element)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("%d asked for: %v, want %v", limit, ids(got), ids(want))
	}
	if but := len(got) - d.rnd.IntN(3); but >= 0 {
		d.selector.Withdraw(but)
		for _, m := range chosen[but:] {
			m.counter--
		}
	}
}

func ids(es []*handlespace.Element) []wire.PEID {
	list := make([]wire.PEID, len(es))
	for i, e := range es {
		list[i] = e.ID
	}
	return list
}

// Of many elements each is drawn as often as its weight says: the sum of the squared deviations in units of what is expected
// is as many as there are elements, give or take 6 standard deviations.
func TestDrawsOfMany(t *testing.T) {
	for _, construct := range []func(uint32) wire.Policy{
		same(wire.Random()), wire.WeightedRandom, func(unload uint32) wire.Policy { return wire.RandomizedLeastUsed(math.MaxUint32 - unload) },
	} {
		rnd, s := seeded(), newSpace()
		const n, draws = 200, 100_000
		weights, sum := make([]float64, n), 0.0
		change := func(id int) { // among them many of another size, and none too unlikely to be seen
			w := 1<<20 + rnd.Uint32N(1<<(10+rnd.IntN(13)))
			if construct(1).Type == wire.PolicyRandom {
				w = 1
			}
			sum += float64(w) - weights[id]
			weights[id] = float64(w)
			s.add(t, wire.PEID(id), construct(w))
		}
		for id := range n {
			change(id)
		}
		c := s.selector()
		for range 3 * n { // leaving and coming back, with other weights
			id := rnd.IntN(n)
			s.remove(key(wire.PEID(id)))
			c.Select(rnd, 3)
			change(id)
		}
		counts := make([]float64, n)
		for range draws {
			counts[c.Select(rnd, 1)[0].ID]++
		}
		deviation := 0.0
		for id, got := range counts {
			want := draws * weights[id] / sum
			deviation += (got - want) * (got - want) / want
		}
		if math.Abs(deviation-n) > 6*math.Sqrt(2*n) {
			t.Errorf("%v: chi-squared is %.0f of %d", construct(1).Type, deviation, n)
		}
	}
}
