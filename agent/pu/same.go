// SPDX-License-Identifier: Apache-2.0

package pu

import (
	"cmp"
	"reflect"
	"slices"

	"github.com/weir-lb/weir/registrar/wire"
)

// sameChoice: have p and q the same elements with the same shares, in any
// order? A registrar turns its list at each answer (RFC 5356 4.1.2).
func sameChoice(p, q Pool) bool {
	switch p.Policy.Type {
	case wire.PolicyLeastUsed, wire.PolicyLeastUsedWithDegradation, wire.PolicyPriorityLeastUsed:
		return false // the order is the choice
	}
	return p.Policy.Type == q.Policy.Type && reflect.DeepEqual(byID(p), byID(q))
}

// Same says whether p and q differ in nothing but the order of the elements,
// and when they were answered.
func (p Pool) Same(q Pool) bool {
	return p.Handle == q.Handle && p.Policy.Type == q.Policy.Type && reflect.DeepEqual(byID(p), byID(q))
}

func byID(p Pool) []wire.PoolElement {
	return slices.SortedFunc(slices.Values(p.Elements), func(a, b wire.PoolElement) int { return cmp.Compare(a.ID, b.ID) })
}
