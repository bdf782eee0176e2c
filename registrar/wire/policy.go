// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"encoding/binary"
	"fmt"
)

// PolicyType says how a pool's elements are chosen (RFC 5356 7.1). Bit 31 marks a private policy, bit 30 an adaptive one.
type PolicyType uint32

// The policies of RFC 5356. 0x00000000 and 0x40000000 are reserved as invalid.
const (
	PolicyRoundRobin               PolicyType = 0x00000001 // 4.1, no data
	PolicyWeightedRoundRobin       PolicyType = 0x00000002 // 4.2, weight
	PolicyRandom                   PolicyType = 0x00000003 // 4.3, no data
	PolicyWeightedRandom           PolicyType = 0x00000004 // 4.4, weight
	PolicyPriority                 PolicyType = 0x00000005 // 4.5, priority
	PolicyLeastUsed                PolicyType = 0x40000001 // 5.1, load
	PolicyLeastUsedWithDegradation PolicyType = 0x40000002 // 5.2, load, load degradation
	PolicyPriorityLeastUsed        PolicyType = 0x40000003 // 5.3, load, load degradation
	PolicyRandomizedLeastUsed      PolicyType = 0x40000004 // 5.4, load
)

// String gives the policy's name in lower case with hyphens, "round-robin", or its number as 0x and eight digits.
func (t PolicyType) String() string {
	switch t {
	case PolicyRoundRobin:
		return "round-robin"
	case PolicyWeightedRoundRobin:
		return "weighted-round-robin"
	case PolicyRandom:
		return "random"
	case PolicyWeightedRandom:
		return "weighted-random"
	case PolicyPriority:
		return "priority"
	case PolicyLeastUsed:
		return "least-used"
	case PolicyLeastUsedWithDegradation:
		return "least-used-with-degradation"
	case PolicyPriorityLeastUsed:
		return "priority-least-used"
	case PolicyRandomizedLeastUsed:
		return "randomized-least-used"
	}
	return fmt.Sprintf("0x%08x", uint32(t))
}

// Policy is a Pool Member Selection Policy parameter (RFC 5354 3.8).
type Policy struct {
	Type PolicyType
	// Data is the policy-specific data as on the wire. A policy of RFC 5356 has at least its type's data; what follows
	// that data is kept, and means nothing.
	Data []byte
}

// RoundRobin is the default policy, which every component supports (RFC 5356 4.1).
func RoundRobin() Policy { return Policy{Type: PolicyRoundRobin} }

// WeightedRoundRobin gives an element a share of weight out of the sum of all weights; 0 is "not capable of providing any
// service" (RFC 5356 3.2, 4.2).
func WeightedRoundRobin(weight uint32) Policy {
	return Policy{Type: PolicyWeightedRoundRobin, Data: binary.BigEndian.AppendUint32(nil, weight)}
}

// Weight is the weight of a weighted policy; false if the policy has none.
func (p Policy) Weight() (uint32, bool) {
	weighted := p.Type == PolicyWeightedRoundRobin || p.Type == PolicyWeightedRandom
	if !weighted || len(p.Data) < 4 {
		return 0, false
	}
	return binary.BigEndian.Uint32(p.Data), true
}
