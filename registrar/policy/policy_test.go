// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/policy"
	"github.com/weir-lb/weir/registrar/wire"
)

type session struct{}

func (session) ID() uint64                    { return 1 }
func (session) Peer() string                  { return "pe" }
func (session) Protocol() wire.Protocol       { return wire.ProtocolTCP }
func (session) RemoteAddrs() []netip.AddrPort { return nil }

// space is a handlespace with one pool "p", whose elements are named by letters: a is 1, b is 2, …, and the selectors that
// follow it.
type space struct {
	*handlespace.Space
	by        handlespace.Identity
	selectors *[]*policy.Selector
}

func newSpace() space {
	return space{handlespace.New(), handlespace.Identify(session{}, handlespace.Proven), &[]*policy.Selector{}}
}

// selector is a new one, which has resolved nothing yet.
func (s space) selector() *policy.Selector {
	c := policy.New(s.pool().Policy().Type)
	for e := range s.pool().All() {
		c.Registered(e, true)
	}
	return s.follow(c)
}

func (s space) follow(c *policy.Selector) *policy.Selector {
	*s.selectors = append(*s.selectors, c)
	return c
}

func (s space) add(t testing.TB, id wire.PEID, p wire.Policy) (changed bool) {
	t.Helper()
	user := wire.Transport{Protocol: wire.ProtocolTCP, Port: 80, Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.1")}}
	e, changed, err := s.Register(1, s.by, "p", wire.PoolElement{ID: id, Life: -1, User: user, Policy: p})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range *s.selectors {
		c.Registered(e, changed)
	}
	return changed
}

func (s space) setState(k handlespace.Key, state handlespace.State) {
	s.SetState(k, state)
	for _, c := range *s.selectors {
		c.Put(s.Find(k))
	}
}

func (s space) remove(k handlespace.Key) {
	e := s.Remove(k)
	for _, c := range *s.selectors {
		c.Remove(e)
	}
}

func (s space) pool() *handlespace.Pool { return s.Pool("p") }

func key(id wire.PEID) handlespace.Key { return handlespace.Key{Pool: "p", PE: id} }

// robin is a round robin pool of n elements, weighted one with these weights.
func robin(t testing.TB, n int) space {
	s := newSpace()
	for id := range wire.PEID(n) {
		s.add(t, id+1, wire.RoundRobin())
	}
	return s
}

func weighted(t testing.TB, weights ...uint32) space {
	s := newSpace()
	for i, w := range weights {
		s.add(t, wire.PEID(i+1), wire.WeightedRoundRobin(w))
	}
	return s
}

func letters(es []*handlespace.Element) string {
	var b strings.Builder
	for _, e := range es {
		b.WriteByte('a' + byte(e.ID) - 1)
	}
	return b.String()
}

// heads is the first element of each of n resolutions.
func heads(c *policy.Selector, n int) string {
	var b strings.Builder
	for range n {
		b.WriteString(letters(c.Select(nil, 1)))
	}
	return b.String()
}

func TestRoundRobinOrder(t *testing.T) {
	s := robin(t, 4)
	c := s.selector()
	for i, want := range []string{"abcd", "bcda", "cdab", "dabc", "abcd"} {
		if got := letters(c.Select(nil, 4)); got != want {
			t.Errorf("RFC 5356 4.1.2, resolution %d: %s, want %s", i, got, want)
		}
	}
	if got := letters(c.Select(nil, 2)); got != "bc" {
		t.Errorf("at most two: %s, want bc", got)
	}
	if got := c.Select(nil, 0); len(got) != 0 {
		t.Errorf("none asked for, %d given", len(got))
	}
}

func TestRoundRobinSurvivesChanges(t *testing.T) {
	s := robin(t, 4)
	c := s.selector()
	heads(c, 2) // c is next
	s.remove(key(3))
	if got := letters(c.Select(nil, 4)); got != "dab" {
		t.Errorf("c left: %s, want dab", got)
	}
	s.setState(key(1), handlespace.Away)
	if got := letters(c.Select(nil, 4)); got != "bd" {
		t.Errorf("a is away: %s, want bd", got)
	}
	s.add(t, math.MaxUint32, wire.RoundRobin())
	for range 3 {
		c.Select(nil, 1)
	}
	if got := c.Select(nil, 1)[0].ID; got != 4 {
		t.Errorf("around the highest identifier: %v, want d", got)
	}
}

func TestNobodyUp(t *testing.T) {
	for _, s := range []space{robin(t, 1), weighted(t, 1)} {
		s.setState(key(1), handlespace.Away)
		c := s.selector()
		if got := c.Select(nil, 9); len(got) != 0 {
			t.Errorf("%v: %s, want nobody", s.pool().Policy().Type, letters(got))
		}
		if got := policy.Weights(s.pool()); len(got) != 0 {
			t.Errorf("%v: weights %v, want none", s.pool().Policy().Type, got)
		}
	}
}

func TestWeightedOrder(t *testing.T) {
	tests := []struct {
		weights []uint32
		want    string // the circular list, worked out by hand from the times (2t+1)/(2w)
	}{
		{[]uint32{1, 1, 1}, "abc"}, // RFC 5356 4.2.1: all weights 1 is round robin
		{[]uint32{2, 1}, "aba"},
		{[]uint32{3, 2, 1, 1}, "abacdba"},
		{[]uint32{4, 2}, "abaaba"},
		{[]uint32{0, 1}, "b"},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.weights), func(t *testing.T) {
			got := heads(weighted(t, tt.weights...).selector(), 2*len(tt.want))
			if want := tt.want + tt.want; got != want {
				t.Errorf("%s, want %s", got, want)
			}
		})
	}
}

func TestWeightedNamesEachOnce(t *testing.T) {
	s := weighted(t, 3, 2, 1, 1)
	c := s.selector()
	for i, want := range []string{"abcd", "bacd", "acdb"} {
		if got := letters(c.Select(nil, 9)); got != want {
			t.Errorf("resolution %d: %s, want %s", i, got, want)
		}
	}
}

// RFC 5356 4.2.2: the ratio of occurrences is that of the weights, and they are evenly distributed: after any k picks an
// element of weight w was used k*w/sum times, give or take 2.
func TestWeightedRatioAndSpread(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		weights := make([]uint32, 1+rnd.IntN(8))
		sum := 0
		for i := range weights {
			weights[i] = 1 + rnd.Uint32N(50)
			sum += int(weights[i])
		}
		s, used := weighted(t, weights...), make([]int, len(weights))
		c := s.selector()
		for k := 1; k <= sum; k++ {
			used[c.Select(nil, 1)[0].ID-1]++
			for i, n := range used {
				if fair := float64(k) * float64(weights[i]) / float64(sum); math.Abs(float64(n)-fair) > 2 {
					t.Fatalf("weights %v: element %d used %d times in %d picks", weights, i, n, k)
				}
			}
		}
		for i, n := range used {
			if n != int(weights[i]) {
				t.Errorf("weights %v: element %d used %d times in a round", weights, i, n)
			}
		}
	}
}

// A pool that changes before every resolution must not begin anew each time: the first would get everything.
func TestWeightedIsFairWhileThePoolChanges(t *testing.T) {
	s := weighted(t, 3, 2, 1, 0)
	c := s.selector()
	used := map[wire.PEID]int{}
	for i := range 600 {
		used[c.Select(nil, 1)[0].ID]++
		s.setState(key(4), handlespace.State(i%2))
		s.add(t, 5, wire.WeightedRoundRobin(0))
		s.remove(key(5))
	}
	if want := (map[wire.PEID]int{1: 300, 2: 200, 3: 100}); !reflect.DeepEqual(used, want) {
		t.Errorf("used %v, want %v", used, want)
	}
}

func TestWeightedTakesNewWeights(t *testing.T) {
	s := weighted(t, 1, 1)
	c := s.selector()
	heads(c, 101)
	s.add(t, 1, wire.WeightedRoundRobin(3))
	s.add(t, 3, wire.WeightedRoundRobin(4))
	got := heads(c, 8*100)
	for letter, want := range map[string]int{"a": 300, "b": 100, "c": 400} {
		if n := strings.Count(got, letter); n < want-3 || n > want+3 {
			t.Errorf("%s used %d times in 800, want %d", letter, n, want)
		}
	}
}

func TestGreatestWeights(t *testing.T) {
	s := weighted(t, math.MaxUint32, math.MaxUint32, 1)
	c := s.selector()
	if got := heads(c, 6); got != "ababab" {
		t.Errorf("%s, want ababab", got)
	}
	s.add(t, 4, wire.WeightedRoundRobin(math.MaxUint32))
	if got := heads(c, 6); got != "dabdab" && got != "abdabd" {
		t.Errorf("%s, want a, b and d in turn", got)
	}
}

func TestWeights(t *testing.T) {
	s := weighted(t, 3, 0, 7)
	s.setState(key(3), handlespace.Away)
	got := policy.Weights(s.pool())
	if len(got) != 2 || got[0].Element.ID != 1 || got[0].Weight != 3 || got[1].Element.ID != 2 || got[1].Weight != 0 {
		t.Errorf("weights %v, want 3 for a, 0 for b, nothing for c, who is away", got)
	}
	for _, w := range policy.Weights(robin(t, 3).pool()) {
		if w.Weight != 1 {
			t.Errorf("round robin: weight %d, want 1", w.Weight)
		}
	}
}

func TestSupported(t *testing.T) {
	want := map[wire.PolicyType]bool{ // RFC 5356 7.1
		0: false, 1: true, 2: true, 3: true, 4: true, 5: true, 6: false, 0x3fffffff: false,
		0x40000000: false, 0x40000001: true, 0x40000002: true, 0x40000003: true, 0x40000004: true, 0x40000005: false,
		0x80000001: false, 0xb0002001: false, 0xc0000001: false, 0xffffffff: false,
	}
	for typ, ok := range want {
		if policy.Supported(typ) != ok {
			t.Errorf("%v supported: %v, want %v", typ, !ok, ok)
		}
	}
}
