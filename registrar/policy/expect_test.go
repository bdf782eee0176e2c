// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"testing"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/policy"
	"github.com/weir-lb/weir/registrar/wire"
)

// TestExpectAnySlot: a slot may be expected that nobody has, has yet, or has any more.
func TestExpectAnySlot(t *testing.T) {
	for _, p := range []wire.PolicyType{
		wire.PolicyRoundRobin, wire.PolicyWeightedRoundRobin, wire.PolicyRandom, wire.PolicyLeastUsed,
	} {
		s := policy.New(p)
		e := &handlespace.Element{ID: 1, Policy: wire.Policy{Type: p, Data: []byte{0, 0, 0, 1}}}
		for range 2 {
			for slot := range 20 {
				s.Expect(slot)
			}
			s.Registered(e, true)
		}
		s.Remove(e)
		s.Expect(e.Slot())
		if s.Len() != 0 {
			t.Errorf("%v: %d elements, want none", p, s.Len())
		}
	}
}
