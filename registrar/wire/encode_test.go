// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/weir-lb/weir/registrar/wire"
)

func TestAppendRefuses(t *testing.T) {
	handle := func(n int) wire.PoolHandle { return wire.PoolHandle(strings.Repeat("h", n)) }
	cause := func(n int) wire.Message {
		return &wire.ErrorMessage{Causes: []wire.ErrorCause{{Info: make([]byte, n)}}}
	}
	udp := wire.Transport{Protocol: wire.ProtocolUDP, Port: 53, Addrs: addrs("192.0.2.1")}
	causes := []wire.ErrorCause{{Code: wire.CauseUnknownPoolHandle}}
	policy := wire.RoundRobin()
	cases := []struct {
		name string
		m    wire.Message
		want string
	}{
		{"no message", nil, "encode: no message"},
		{"empty pool handle", &wire.HandleResolution{}, "encode ASAP_HANDLE_RESOLUTION: empty pool handle"},
		{"pool handle of 65,528 bytes", &wire.HandleResolution{Pool: handle(65528)},
			"encode ASAP_HANDLE_RESOLUTION: longer than 65535 bytes"},
		{"two parameters that do not fit", &wire.Deregistration{Pool: handle(65520)},
			"encode ASAP_DEREGISTRATION: longer than 65535 bytes"},
		{"cause of 65,524 bytes", cause(65524), "encode ASAP_ERROR: longer than 65535 bytes"},
		{"cause of a gigabyte", cause(1 << 30), "encode ASAP_ERROR: longer than 65535 bytes"},
		{"cookie of 65,528 bytes", &wire.Cookie{Data: make([]byte, 65528)}, "encode ASAP_COOKIE: longer than 65535 bytes"},
		{"business card without a pool handle", &wire.BusinessCard{}, "encode ASAP_BUSINESS_CARD: empty pool handle"},
		{"error without a cause", &wire.ErrorMessage{}, "encode ASAP_ERROR: no cause"},
		{"announce of UDP", &wire.ServerAnnounce{Transports: []wire.Transport{udp}},
			"encode ASAP_SERVER_ANNOUNCE: announced transport is neither SCTP nor TCP"},
		{"resolution neither positive nor negative", &wire.HandleResolutionResponse{Pool: "web"},
			"encode ASAP_HANDLE_RESOLUTION_RESPONSE: positive resolution without elements"},
		{"negative resolution with a policy", &wire.HandleResolutionResponse{Pool: "web", Policy: &policy, Causes: causes},
			"encode ASAP_HANDLE_RESOLUTION_RESPONSE: negative resolution with a policy or elements"},
		{"element without anything", &wire.Registration{Pool: "web"},
			"encode ASAP_REGISTRATION: unknown transport protocol 0x0000"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b, err := wire.AppendASAP([]byte("kept"), c.m)
			if err == nil || err.Error() != c.want || string(b) != "kept" {
				t.Errorf("got %q, %v; want %v", b, err, c.want)
			}
		})
	}
}

func TestAppendGreatest(t *testing.T) {
	m := &wire.HandleResolution{Pool: wire.PoolHandle(strings.Repeat("h", 65527))}
	b, err := wire.AppendASAP(nil, m)
	if err != nil || len(b) != 65536 { // 65,535 and one byte of padding
		t.Fatalf("got %d bytes, %v", len(b), err)
	}
	if got, err := wire.ParseASAP(b); err != nil || !reflect.DeepEqual(got, m) {
		t.Error(err)
	}
}

func TestAppendRefusesElements(t *testing.T) {
	set := func(f func(*wire.PoolElement)) wire.PoolElement {
		e := exampleElement()
		f(&e)
		return e
	}
	transport := func(tr wire.Transport) wire.PoolElement {
		return set(func(e *wire.PoolElement) { e.User = tr })
	}
	policy := func(p wire.Policy) wire.PoolElement {
		return set(func(e *wire.PoolElement) { e.Policy = p })
	}
	one := addrs("192.0.2.1")
	zoned := []netip.Addr{netip.MustParseAddr("fe80::1%eth0")}
	cases := []struct {
		name string
		e    wire.PoolElement
		want string
	}{
		{"life", set(func(e *wire.PoolElement) { e.Life = -2 }), "negative registration life"},
		{"ASAP over TCP", set(func(e *wire.PoolElement) { e.ASAP = &e.User }), "ASAP transport is not SCTP"},
		{"SCTP without an address", transport(wire.Transport{Protocol: wire.ProtocolSCTP}), "sctp transport with 0 addresses"},
		{"TCP with two", transport(wire.Transport{Protocol: wire.ProtocolTCP, Addrs: append(one, one...)}),
			"tcp transport with 2 addresses"},
		{"opaque with one", transport(wire.Transport{Protocol: wire.ProtocolOpaque, Addrs: one}), "opaque transport with 1 addresses"},
		{"opaque with a port", transport(wire.Transport{Protocol: wire.ProtocolOpaque, Port: 1}), "an opaque transport has no port"},
		{"TCP with opaque data", transport(wire.Transport{Protocol: wire.ProtocolTCP, Addrs: one, Opaque: []byte{1}}),
			"tcp has no opaque data"},
		{"TCP with control", transport(wire.Transport{Protocol: wire.ProtocolTCP, Addrs: one, Use: wire.UseDataControl}),
			"tcp is always data only"},
		{"SCTP with use 2", transport(wire.Transport{Protocol: wire.ProtocolSCTP, Addrs: one, Use: 2}), "invalid transport use 0x0002"},
		{"TCP with a service code", transport(wire.Transport{Protocol: wire.ProtocolTCP, Addrs: one, ServiceCode: 1}),
			"tcp has no service code"},
		{"no protocol of ours", transport(wire.Transport{Protocol: 8, Addrs: one}), "unknown transport protocol 0x0008"},
		{"address zero", transport(wire.Transport{Protocol: wire.ProtocolTCP, Addrs: make([]netip.Addr, 1)}),
			"address invalid IP cannot be sent"},
		{"address with a zone", transport(wire.Transport{Protocol: wire.ProtocolTCP, Addrs: zoned}),
			"address fe80::1%eth0 cannot be sent"},
		{"policy 0", policy(wire.Policy{}), "reserved policy type 0x00000000"},
		{"policy 0x40000000", policy(wire.Policy{Type: 0x40000000}), "reserved policy type 0x40000000"},
		{"policy without its data", policy(wire.Policy{Type: wire.PolicyWeightedRoundRobin, Data: []byte{1}}),
			"weighted-round-robin policy with 1 bytes of data"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := wire.AppendASAP(nil, &wire.Registration{Pool: "web", Element: c.e})
			if want := "encode ASAP_REGISTRATION: " + c.want; err == nil || err.Error() != want {
				t.Errorf("got %v, want %v", err, want)
			}
		})
	}
}

func TestAppendTLVRefuses(t *testing.T) {
	if b, err := (wire.Policy{}).AppendTLV([]byte("kept")); err == nil || string(b) != "kept" {
		t.Errorf("got %q, %v", b, err)
	}
	if b, err := (wire.Transport{}).AppendTLV([]byte("kept")); err == nil || string(b) != "kept" {
		t.Errorf("got %q, %v", b, err)
	}
}

// A message may outlive the buffer that it was read into.
func TestParseKeepsNothingOfItsInput(t *testing.T) {
	cases := messageCases()
	for _, s := range []string{"40 00 0008 01020304", "05 00 000c 4001 0008 01020304", "02 00 0004"} {
		cases = append(cases, messageCase{name: s, hex: s})
	}
	for _, c := range cases {
		b := unhexed(c.hex)
		m, err := wire.ParseASAP(b)
		for i := range b {
			b[i] = 0x55
		}
		again, errAgain := wire.ParseASAP(unhexed(c.hex))
		if !reflect.DeepEqual(m, again) || !reflect.DeepEqual(err, errAgain) {
			t.Errorf("%s: changed with its input to %+v, %v", c.name, m, err)
		}
	}
}
