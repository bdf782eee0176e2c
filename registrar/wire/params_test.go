// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/weir-lb/weir/registrar/wire"
)

// From the figures of RFC 5354 3.1 to 3.7 and 3.16.
func TestTransports(t *testing.T) {
	cases := []struct {
		name, hex string
		want      wire.Transport
	}{
		{"DCCP", "0003 0014 1389 0000 53434f44 0001 0008 c0000201",
			wire.Transport{Protocol: wire.ProtocolDCCP, Port: 5001, ServiceCode: 0x53434f44, Addrs: addrs("192.0.2.1")}},
		{"SCTP, data only", "0004 0010 1e61 0000 0001 0008 c0000201",
			wire.Transport{Protocol: wire.ProtocolSCTP, Port: 7777, Addrs: addrs("192.0.2.1")}},
		{"SCTP, control too, mixed addresses",
			"0004 002c 1e61 0001 0001 0008 c0000201 0002 0014 20010db8000000000000000000000001 0001 0008 c0000202",
			wire.Transport{Protocol: wire.ProtocolSCTP, Port: 7777, Use: wire.UseDataControl,
				Addrs: addrs("192.0.2.1", "2001:db8::1", "192.0.2.2")}},
		{"TCP", "0005 0010 0050 0000 0001 0008 c0000201",
			wire.Transport{Protocol: wire.ProtocolTCP, Port: 80, Addrs: addrs("192.0.2.1")}},
		{"TCP, IPv6", "0005 001c 0050 0000 0002 0014 20010db8000000000000000000000001",
			wire.Transport{Protocol: wire.ProtocolTCP, Port: 80, Addrs: addrs("2001:db8::1")}},
		{"TCP, IPv4-mapped IPv6", "0005 001c 0050 0000 0002 0014 00000000000000000000ffffc0000201",
			wire.Transport{Protocol: wire.ProtocolTCP, Port: 80, Addrs: addrs("::ffff:192.0.2.1")}},
		{"UDP", "0006 0010 0035 0000 0001 0008 c0000201",
			wire.Transport{Protocol: wire.ProtocolUDP, Port: 53, Addrs: addrs("192.0.2.1")}},
		{"UDP-Lite", "0007 0010 0035 0000 0001 0008 c0000201",
			wire.Transport{Protocol: wire.ProtocolUDPLite, Port: 53, Addrs: addrs("192.0.2.1")}},
		{"opaque", "0010 0008 01020304",
			wire.Transport{Protocol: wire.ProtocolOpaque, Opaque: []byte{1, 2, 3, 4}}},
		{"opaque, empty", "0010 0004", wire.Transport{Protocol: wire.ProtocolOpaque}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m, err := wire.ParseASAP(registrationOf(c.hex + "0008 0008 00000001"))
			if err != nil {
				t.Fatal(err)
			}
			if got := m.(*wire.Registration).Element.User; !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			if b, err := c.want.AppendTLV([]byte("x")); err != nil || !bytes.Equal(b[1:], unhexed(c.hex)) {
				t.Errorf("got x%x, %v; want x%x", b[1:], err, unhexed(c.hex))
			}
		})
	}
}

// From the figures of RFC 5356 sections 4 and 5.
func TestPolicies(t *testing.T) {
	u32, u32u32 := []byte{0, 0, 0, 7}, []byte{0, 0, 0, 7, 0, 0, 0, 9}
	cases := []struct {
		name, hex string
		want      wire.Policy
	}{
		{"round-robin", "0008 0008 00000001", wire.RoundRobin()},
		{"weighted-round-robin", "0008 000c 00000002 00000007", wire.WeightedRoundRobin(7)},
		{"random", "0008 0008 00000003", wire.Policy{Type: wire.PolicyRandom}},
		{"weighted-random", "0008 000c 00000004 00000007", wire.Policy{Type: wire.PolicyWeightedRandom, Data: u32}},
		{"priority", "0008 000c 00000005 00000007", wire.Policy{Type: wire.PolicyPriority, Data: u32}},
		{"least-used", "0008 000c 40000001 00000007", wire.Policy{Type: wire.PolicyLeastUsed, Data: u32}},
		{"least-used-with-degradation", "0008 0010 40000002 00000007 00000009",
			wire.Policy{Type: wire.PolicyLeastUsedWithDegradation, Data: u32u32}},
		{"priority-least-used", "0008 0010 40000003 00000007 00000009",
			wire.Policy{Type: wire.PolicyPriorityLeastUsed, Data: u32u32}},
		{"randomized-least-used", "0008 000c 40000004 00000007",
			wire.Policy{Type: wire.PolicyRandomizedLeastUsed, Data: u32}},
		{"0xb0001001", "0008 000c b0001001 00000007", wire.Policy{Type: 0xb0001001, Data: u32}},
		{"0x00000006", "0008 0008 00000006", wire.Policy{Type: 6}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m, err := wire.ParseASAP(registrationOf("0010 0004" + c.hex))
			if err != nil {
				t.Fatal(err)
			}
			got := m.(*wire.Registration).Element.Policy
			if !reflect.DeepEqual(got, c.want) || got.Type.String() != c.name {
				t.Errorf("got %v %+v, want %+v", got.Type, got, c.want)
			}
			if b, err := c.want.AppendTLV([]byte("x")); err != nil || !bytes.Equal(b[1:], unhexed(c.hex)) {
				t.Errorf("got x%x, %v; want x%x", b[1:], err, unhexed(c.hex))
			}
		})
	}
}

func TestWeight(t *testing.T) {
	cases := []struct {
		policy wire.Policy
		weight uint32
		ok     bool
	}{
		{wire.WeightedRoundRobin(0xfffffffe), 0xfffffffe, true},
		{wire.Policy{Type: wire.PolicyWeightedRandom, Data: []byte{0, 0, 1, 0, 0xff}}, 256, true},
		{wire.Policy{Type: wire.PolicyWeightedRoundRobin, Data: []byte{1, 2, 3}}, 0, false},
		{wire.RoundRobin(), 0, false},
		{wire.Policy{Type: wire.PolicyPriority, Data: []byte{0, 0, 0, 7}}, 0, false},
	}
	for _, c := range cases {
		if w, ok := c.policy.Weight(); w != c.weight || ok != c.ok {
			t.Errorf("%+v: got %d, %v", c.policy, w, ok)
		}
	}
}

func TestNames(t *testing.T) {
	got := []string{
		wire.PEID(0xaaaa).String(), wire.ServerID(0x11111111).String(),
		wire.TypeRegistration.String(), wire.TypeError.String(), wire.MessageType(0).String(), wire.MessageType(0x4f).String(),
		wire.ProtocolDCCP.String(), wire.ProtocolSCTP.String(), wire.ProtocolTCP.String(), wire.ProtocolUDP.String(),
		wire.ProtocolUDPLite.String(), wire.ProtocolOpaque.String(), wire.Protocol(8).String(),
		wire.UseDataOnly.String(), wire.UseDataControl.String(), wire.TransportUse(2).String(),
	}
	want := []string{
		"0x0000aaaa", "0x11111111",
		"ASAP_REGISTRATION", "ASAP_ERROR", "0x00", "0x4f",
		"dccp", "sctp", "tcp", "udp", "udp-lite", "opaque", "0x0008",
		"data only", "data plus control", "0x0002",
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
