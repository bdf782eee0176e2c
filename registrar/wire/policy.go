// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"encoding/binary"
	"fmt"
	"slices"
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
func RoundRobin() Policy { return policyOf(PolicyRoundRobin) }

// WeightedRoundRobin gives an element a share of weight out of the sum of all weights; 0 is "not capable of providing any
// service" (RFC 5356 3.2, 4.2).
func WeightedRoundRobin(weight uint32) Policy { return policyOf(PolicyWeightedRoundRobin, weight) }

// Random gives all elements the same chance (RFC 5356 4.3).
func Random() Policy { return policyOf(PolicyRandom) }

// WeightedRandom gives an element a chance of weight out of the sum of all weights; 0 is no chance (RFC 5356 3.2, 4.4).
func WeightedRandom(weight uint32) Policy { return policyOf(PolicyWeightedRandom, weight) }

// Priority puts an element before those with smaller numbers (RFC 5356 4.5).
func Priority(priority uint32) Policy { return policyOf(PolicyPriority, priority) }

// LeastUsed is for the element with the lowest load: 0 is idle, 0xffffffff fully used (RFC 5356 3.1, 5.1).
func LeastUsed(load uint32) Policy { return policyOf(PolicyLeastUsed, load) }

// LeastUsedWithDegradation is LeastUsed, but each selection of the element counts as degradation more load until it
// registers again (RFC 5356 5.2).
func LeastUsedWithDegradation(load, degradation uint32) Policy {
	return policyOf(PolicyLeastUsedWithDegradation, load, degradation)
}

// PriorityLeastUsed is for the element with the lowest load after one more request, load + degradation (RFC 5356 5.3).
func PriorityLeastUsed(load, degradation uint32) Policy {
	return policyOf(PolicyPriorityLeastUsed, load, degradation)
}

// RandomizedLeastUsed gives an element a chance of 0xffffffff - load out of the sum of all such (RFC 5356 5.4).
func RandomizedLeastUsed(load uint32) Policy { return policyOf(PolicyRandomizedLeastUsed, load) }

func policyOf(t PolicyType, values ...uint32) Policy {
	p := Policy{Type: t}
	for _, v := range values {
		p.Data = binary.BigEndian.AppendUint32(p.Data, v)
	}
	return p
}

// Weight is the weight of a weighted policy; false if the policy has none.
func (p Policy) Weight() (uint32, bool) {
	return p.value(0, PolicyWeightedRoundRobin, PolicyWeightedRandom)
}

// Priority is the priority of PolicyPriority; false if the policy has none.
func (p Policy) Priority() (uint32, bool) { return p.value(0, PolicyPriority) }

// Load is the load of an adaptive policy, 0 to 0xffffffff for 100 % (RFC 5356 3.1); false if the policy has none.
func (p Policy) Load() (uint32, bool) {
	return p.value(0, PolicyLeastUsed, PolicyLeastUsedWithDegradation, PolicyPriorityLeastUsed, PolicyRandomizedLeastUsed)
}

// WithLoad is p with another load; p itself if the policy has none.
func (p Policy) WithLoad(load uint32) Policy {
	if _, ok := p.Load(); !ok {
		return p
	}
	p.Data = append([]byte(nil), p.Data...)
	binary.BigEndian.PutUint32(p.Data, load)
	return p
}

// Degradation is the load that one more request adds, in units of the load; false if the policy has none.
func (p Policy) Degradation() (uint32, bool) {
	return p.value(4, PolicyLeastUsedWithDegradation, PolicyPriorityLeastUsed)
}

// value is the 32-bit number at byte offset at of the data, if the policy is of one of these types and long enough.
func (p Policy) value(at int, of ...PolicyType) (uint32, bool) {
	if !slices.Contains(of, p.Type) || len(p.Data) < at+4 {
		return 0, false
	}
	return binary.BigEndian.Uint32(p.Data[at:]), true
}

// AppendTLV appends the policy's parameter without padding, as the cause CauseInconsistentPolicy carries it (RFC 5354
// 3.12.6). Errors: a reserved type, less data than the type has, more than 65,527 bytes of it; dst is then unchanged.
func (p Policy) AppendTLV(dst []byte) ([]byte, error) { return appendTLV(dst, p.encode) }

// dataLen is how many bytes of data a policy of RFC 5356 has; 0 for others.
func (t PolicyType) dataLen() int {
	switch t {
	case PolicyWeightedRoundRobin, PolicyWeightedRandom, PolicyPriority, PolicyLeastUsed, PolicyRandomizedLeastUsed:
		return 4
	case PolicyLeastUsedWithDegradation, PolicyPriorityLeastUsed:
		return 8
	}
	return 0
}

func (p Policy) invalid() string {
	switch {
	case p.Type == 0 || p.Type == 0x40000000: // RFC 5356 7.1
		return "reserved policy type " + p.Type.String()
	case len(p.Data) < p.Type.dataLen():
		return fmt.Sprintf("%v policy with %d bytes of data", p.Type, len(p.Data))
	}
	return ""
}

func decodePolicy(p param) (Policy, *Error) {
	v := p.value()
	if len(v) < 4 {
		return Policy{}, p.invalid("policy without a type")
	}
	policy := Policy{Type: PolicyType(binary.BigEndian.Uint32(v)), Data: copyOf(v[4:])}
	if reason := policy.invalid(); reason != "" {
		return Policy{}, p.invalid(reason)
	}
	return policy, nil
}

func (p Policy) encode(w *writer) {
	if reason := p.invalid(); reason != "" {
		w.fail(reason)
	}
	mark := w.open(uint16(paramPolicy))
	w.u32(uint32(p.Type))
	w.bytes(p.Data)
	w.close(mark)
}
