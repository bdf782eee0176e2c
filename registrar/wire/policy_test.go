// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"bytes"
	"testing"

	"github.com/weir-lb/weir/registrar/wire"
)

// The types and the order of the values are those of the figures in RFC 5356 4.1.4 to 5.4.4.
func TestPolicyValues(t *testing.T) {
	const none = -1
	tests := []struct {
		policy                              wire.Policy
		number                              uint32
		data                                []byte
		weight, priority, load, degradation int64
	}{
		{wire.RoundRobin(), 0x00000001, nil, none, none, none, none},
		{wire.WeightedRoundRobin(0x01020304), 0x00000002, []byte{1, 2, 3, 4}, 0x01020304, none, none, none},
		{wire.Random(), 0x00000003, nil, none, none, none, none},
		{wire.WeightedRandom(0xfffefdfc), 0x00000004, []byte{0xff, 0xfe, 0xfd, 0xfc}, 0xfffefdfc, none, none, none},
		{wire.Priority(7), 0x00000005, []byte{0, 0, 0, 7}, none, 7, none, none},
		{wire.LeastUsed(0x80000000), 0x40000001, []byte{0x80, 0, 0, 0}, none, none, 0x80000000, none},
		{wire.LeastUsedWithDegradation(1, 2), 0x40000002, []byte{0, 0, 0, 1, 0, 0, 0, 2}, none, none, 1, 2},
		{wire.PriorityLeastUsed(3, 4), 0x40000003, []byte{0, 0, 0, 3, 0, 0, 0, 4}, none, none, 3, 4},
		{wire.RandomizedLeastUsed(0xffffffff), 0x40000004, []byte{0xff, 0xff, 0xff, 0xff}, none, none, 0xffffffff, none},
		{
			wire.Policy{Type: wire.PolicyPriorityLeastUsed, Data: []byte{0, 0, 0, 3, 0, 0, 0}}, 0x40000003,
			[]byte{0, 0, 0, 3, 0, 0, 0}, none, none, 3, none,
		},
		{wire.Policy{Type: wire.PolicyLeastUsed}, 0x40000001, nil, none, none, none, none},
		{wire.Policy{Type: 0xb0002002, Data: make([]byte, 8)}, 0xb0002002, make([]byte, 8), none, none, none, none},
	}
	for _, tt := range tests {
		p := tt.policy
		if uint32(p.Type) != tt.number || !bytes.Equal(p.Data, tt.data) {
			t.Errorf("%v: type %#x, data %x, want %#x and %x", p.Type, uint32(p.Type), p.Data, tt.number, tt.data)
		}
		for _, v := range []struct {
			name string
			get  func() (uint32, bool)
			want int64
		}{
			{"weight", p.Weight, tt.weight},
			{"priority", p.Priority, tt.priority},
			{"load", p.Load, tt.load},
			{"degradation", p.Degradation, tt.degradation},
		} {
			got := int64(none)
			if n, ok := v.get(); ok {
				got = int64(n)
			}
			if got != v.want {
				t.Errorf("%v: %s %d, want %d", p.Type, v.name, got, v.want)
			}
		}
	}
}

func TestWithLoad(t *testing.T) {
	for _, tt := range []struct {
		before, after []byte
		number        wire.PolicyType
	}{
		{[]byte{1, 2, 3, 4, 5, 6, 7, 8}, []byte{0xca, 0xfe, 0, 1, 5, 6, 7, 8}, wire.PolicyLeastUsedWithDegradation},
		{[]byte{1, 2, 3, 4}, []byte{0xca, 0xfe, 0, 1}, wire.PolicyRandomizedLeastUsed},
		{[]byte{1, 2, 3, 4}, []byte{1, 2, 3, 4}, wire.PolicyWeightedRandom},
		{nil, nil, wire.PolicyRoundRobin},
	} {
		p := wire.Policy{Type: tt.number, Data: bytes.Clone(tt.before)}
		if got := p.WithLoad(0xcafe0001); got.Type != tt.number || !bytes.Equal(got.Data, tt.after) {
			t.Errorf("%v: %x became %x, want %x", tt.number, tt.before, got.Data, tt.after)
		}
		if !bytes.Equal(p.Data, tt.before) {
			t.Errorf("%v: the policy before is %x, want %x", tt.number, p.Data, tt.before)
		}
	}
}
