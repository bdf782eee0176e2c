// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"slices"
	"testing"

	"github.com/weir-lb/weir/bpf"
)

// What an operator has ordered lies in the row: packets see an element that gets no new flows, and the
// next agent sees the order.
func TestOrdersLieInTheRow(t *testing.T) {
	for _, tc := range []struct {
		name    string
		is      Element
		state   State // as packets see it
		chosen  bool
		adopted Element
	}{
		{"drained", Element{State: Active, Weight: 1, Drained: true}, Away, false, Element{State: Away, Weight: 1, Drained: true}},
		{"drained while it drains", Element{State: Draining, Weight: 1, Drained: true}, Draining, false, Element{State: Draining, Weight: 1, Drained: true}},
		{"drained while it is lost", Element{State: Lost, Weight: 1, Drained: true}, Lost, false, Element{State: Lost, Weight: 1, Drained: true}},
		{"weighed", Element{State: Active, Weight: 7, Weighed: true}, Active, true, Element{State: Active, Weight: 7, Weighed: true}},
		{"weighed with nothing", Element{State: Active, Weighed: true}, Active, false, Element{State: Active, Weighed: true}},
		{"both", Element{State: Active, Weight: 7, Drained: true, Weighed: true}, Away, false, Element{State: Away, Weight: 7, Drained: true, Weighed: true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := newMaps(t)
			s := open(t, m, web())
			tc.is.PE, tc.is.Addr = 1, addr("10.0.20.1:8080")
			tc.adopted.PE, tc.adopted.Addr = tc.is.PE, tc.is.Addr
			must(t, s.Apply(web(), []Element{element(2, "10.0.20.2:8080")}))
			must(t, s.Apply(web(), []Element{tc.is, element(2, "10.0.20.2:8080")}))
			row := slices.IndexFunc(s.Rows(web()), func(r Row) bool { return r.PE == 1 })
			index := s.Rows(web())[row].Index
			if e := lookup[bpf.WeirElement](t, m.Elements, uint32(index)); State(e.State) != tc.state {
				t.Errorf("packets see it %s, want %s", State(e.State), tc.state)
			}
			if chosen := slices.Contains(table(t, m, rowOf(t, m, web())), index); chosen != tc.chosen {
				t.Errorf("in the selection: %t, want %t", chosen, tc.chosen)
			}
			if got := open(t, m, web()).Rows(web())[row].Element; got != tc.adopted {
				t.Errorf("the next agent sees %+v, want %+v", got, tc.adopted)
			}
			must(t, s.Configure(web(), Options{Mode: DSR})) // which writes the rows anew
			if got := open(t, m, web()).Rows(web())[row].Element; got != tc.adopted {
				t.Errorf("the next agent sees %+v after Configure, want %+v", got, tc.adopted)
			}
		})
	}
}
