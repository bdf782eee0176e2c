// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/weir-lb/weir/registrar/wire"
)

type messageCase struct {
	name string
	hex  string
	m    wire.Message
}

// messageCases are exact both ways; written by hand from the figures of RFC 5352 2.2 and RFC 5354.
func messageCases() []messageCase {
	return slices.Concat(elementCases(), responseCases(), otherCases(), controlCases())
}

const examplePE, exampleServer = wire.PEID(0x01020304), wire.ServerID(0x0a0b0c0d)

func exampleTCP() wire.Transport {
	return wire.Transport{Protocol: wire.ProtocolTCP, Port: 80, Addrs: addrs("192.0.2.1")}
}

func exampleElement() wire.PoolElement {
	return wire.PoolElement{ID: examplePE, Life: 300, User: exampleTCP(), Policy: wire.RoundRobin()}
}

// elementCases are messages with pool elements.
func elementCases() []messageCase {
	weighted, asap, odd, oddAndASAP := exampleElement(), exampleElement(), exampleElement(), exampleElement()
	weighted.Home, weighted.Policy = exampleServer, wire.WeightedRoundRobin(5)
	second := weighted
	second.ID, second.User.Addrs = 0x01020305, addrs("2001:db8::1")
	asap.Life, asap.ASAP = wire.LifeInfinite, &wire.Transport{
		Protocol: wire.ProtocolSCTP, Port: 3863, Use: wire.UseDataControl, Addrs: addrs("192.0.2.2", "2001:db8::1"),
	}
	odd.Policy = wire.Policy{Type: 0x80000001, Data: []byte{0xaa}}
	oddAndASAP.Policy = odd.Policy
	oddAndASAP.ASAP = &wire.Transport{Protocol: wire.ProtocolSCTP, Port: 3863, Addrs: addrs("192.0.2.2")}
	policy := wire.WeightedRoundRobin(5)

	return []messageCase{
		{"registration", `
			01 00 003c
			0009 0009 7765622d31 000000          ; pool handle "web-1", padded
			000a 002c 01020304 0a0b0c0d 0000012c ; pool element: id, home, life
			  0005 0010 0050 0000 0001 0008 c0000201 ; TCP port 80, reserved, 192.0.2.1
			  0008 000c 00000002 00000005            ; weighted round robin, weight 5`,
			&wire.Registration{Pool: "web-1", Element: weighted}},
		{"registration with an infinite life and an ASAP transport", `
			01 00 0058
			0009 0007 776562 00
			000a 004c 01020304 00000000 ffffffff
			  0005 0010 0050 0000 0001 0008 c0000201
			  0008 0008 00000001
			  0004 0024 0f17 0001 0001 0008 c0000202 0002 0014 20010db8000000000000000000000001`,
			&wire.Registration{Pool: "web", Element: asap}},
		{"registration that ends in padding, which no length counts", `
			01 00 0035
			0009 0007 776562 00
			000a 0029 01020304 00000000 0000012c
			  0005 0010 0050 0000 0001 0008 c0000201
			  0008 0009 80000001 aa 000000`,
			&wire.Registration{Pool: "web", Element: odd}},
		{"registration with padding between nested parameters, which the outer length counts", `
			01 00 0048
			0009 0007 776562 00
			000a 003c 01020304 00000000 0000012c
			  0005 0010 0050 0000 0001 0008 c0000201
			  0008 0009 80000001 aa 000000
			  0004 0010 0f17 0000 0001 0008 c0000202`,
			&wire.Registration{Pool: "web", Element: oddAndASAP}},
		{"positive resolution with policy, two elements, updates accepted", `
			06 01 007c
			0009 0007 776562 00
			0008 000c 00000002 00000005
			000a 002c 01020304 0a0b0c0d 0000012c
			  0005 0010 0050 0000 0001 0008 c0000201
			  0008 000c 00000002 00000005
			000a 0038 01020305 0a0b0c0d 0000012c
			  0005 001c 0050 0000 0002 0014 20010db8000000000000000000000001
			  0008 000c 00000002 00000005`,
			&wire.HandleResolutionResponse{
				Accepted: true, Pool: "web", Policy: &policy, Elements: []wire.PoolElement{weighted, second},
			}},
		{"positive resolution without a policy", `
			06 00 0034
			0009 0007 776562 00
			000a 0028 01020304 00000000 0000012c
			  0005 0010 0050 0000 0001 0008 c0000201
			  0008 0008 00000001`,
			&wire.HandleResolutionResponse{Pool: "web", Elements: []wire.PoolElement{exampleElement()}}},
	}
}

// responseCases are messages with an operation error, or which may have one.
func responseCases() []messageCase {
	return []messageCase{
		{"registration response, granted", `
			03 00 0018 0009 0009 7765622d31 000000 000e 0008 01020304`,
			&wire.RegistrationResponse{Pool: "web-1", PE: examplePE}},
		{"registration response, rejected without a cause", `
			03 01 0018 0009 0009 7765622d31 000000 000e 0008 01020304`,
			&wire.RegistrationResponse{Reject: true, Pool: "web-1", PE: examplePE}},
		{"registration response, rejected with the pool's policy", `
			03 01 0028 0009 0009 7765622d31 000000 000e 0008 01020304
			000c 0010 0005 000c 0008 0008 00000001`,
			&wire.RegistrationResponse{Reject: true, Pool: "web-1", PE: examplePE, Causes: []wire.ErrorCause{
				{Code: wire.CauseInconsistentPolicy, Info: unhexed("0008 0008 00000001")},
			}}},
		{"registration response, granted with warnings: padding between causes counts, after the last not", `
			03 00 0031 0009 0009 7765622d31 000000 000e 0008 01020304
			000c 0019 0003 0009 0102030405 000000 0000 0004 100b 0005 ff 000000`,
			&wire.RegistrationResponse{Pool: "web-1", PE: examplePE, Causes: []wire.ErrorCause{
				{Code: wire.CauseInvalidValues, Info: []byte{1, 2, 3, 4, 5}},
				{Code: wire.CauseUnspecified},
				{Code: 0x100b, Info: []byte{0xff}},
			}}},
		{"deregistration response, granted", `
			04 00 0018 0009 0009 7765622d31 000000 000e 0008 01020304`,
			&wire.DeregistrationResponse{Pool: "web-1", PE: examplePE}},
		{"deregistration response, rejected", `
			04 00 0020 0009 0009 7765622d31 000000 000e 0008 01020304 000c 0008 000a 0004`,
			&wire.DeregistrationResponse{Pool: "web-1", PE: examplePE, Causes: []wire.ErrorCause{{Code: wire.CauseSecurity}}}},
		{"negative resolution", `
			06 00 0014 0009 0007 776562 00 000c 0008 0009 0004`,
			&wire.HandleResolutionResponse{Pool: "web", Causes: []wire.ErrorCause{{Code: wire.CauseUnknownPoolHandle}}}},
		{"error about a parameter", `
			0e 00 0014 000c 0010 0001 000c 4001 0008 deadbeef`,
			&wire.ErrorMessage{Causes: []wire.ErrorCause{
				{Code: wire.CauseUnrecognizedParameter, Info: unhexed("4001 0008 deadbeef")},
			}}},
		{"error about a message", `
			0e 00 0010 000c 000c 0002 0008 40 00 0004`,
			&wire.ErrorMessage{Causes: []wire.ErrorCause{
				{Code: wire.CauseUnrecognizedMessage, Info: unhexed("40000004")},
			}}},
	}
}

func otherCases() []messageCase {
	pe, items := examplePE, uint32(3)
	return []messageCase{
		{"deregistration", `
			02 00 0018 0009 0009 7765622d31 000000 000e 0008 01020304`,
			&wire.Deregistration{Pool: "web-1", PE: pe}},
		{"resolution, padded", `
			05 00 000d 0009 0009 7765622d31 000000`,
			&wire.HandleResolution{Pool: "web-1"}},
		{"resolution with updates", `
			05 01 000b 0009 0007 776562 00`,
			&wire.HandleResolution{Subscribe: true, Pool: "web"}},
		{"resolution with rsplib's number of items", `
			05 00 0018 0009 0009 7765622d31 000000 803f 0008 00000003`,
			&wire.HandleResolution{Pool: "web-1", Items: &items}},
		{"resolution of a handle that is not text", `
			05 00 000c 0009 0008 00ff0a00`,
			&wire.HandleResolution{Pool: "\x00\xff\n\x00"}},
		{"keep-alive of a new home", `
			07 01 000f 0a0b0c0d 0009 0007 776562 00`,
			&wire.EndpointKeepAlive{Home: true, Server: exampleServer, Pool: "web"}},
		{"keep-alive with rsplib's identifier", `
			07 00 0018 0a0b0c0d 0009 0007 776562 00 000e 0008 01020304`,
			&wire.EndpointKeepAlive{Server: exampleServer, Pool: "web", PE: &pe}},
		{"keep-alive acknowledgement", `
			08 00 0018 0009 0009 7765622d31 000000 000e 0008 01020304`,
			&wire.EndpointKeepAliveAck{Pool: "web-1", PE: pe}},
		{"unreachable", `
			09 00 0018 0009 0009 7765622d31 000000 000e 0008 01020304`,
			&wire.EndpointUnreachable{Pool: "web-1", PE: pe}},
		{"announce", `
			0a 00 0008 0a0b0c0d`,
			&wire.ServerAnnounce{Server: exampleServer}},
		{"announce with transports", `
			0a 00 0028 0a0b0c0d
			0004 0010 0f17 0001 0001 0008 c0000202
			0005 0010 0050 0000 0001 0008 c0000201`,
			&wire.ServerAnnounce{Server: exampleServer, Transports: []wire.Transport{
				{Protocol: wire.ProtocolSCTP, Port: 3863, Use: wire.UseDataControl, Addrs: addrs("192.0.2.2")},
				exampleTCP(),
			}}},
	}
}

func TestParse(t *testing.T) {
	for _, c := range messageCases() {
		t.Run(c.name, func(t *testing.T) {
			m, err := wire.ParseASAP(unhexed(c.hex))
			if err != nil || !reflect.DeepEqual(m, c.m) {
				t.Errorf("got %+v, %v; want %+v", m, err, c.m)
			}
		})
	}
}

func TestAppend(t *testing.T) {
	for _, c := range messageCases() {
		t.Run(c.name, func(t *testing.T) {
			b, err := wire.AppendASAP(nil, c.m)
			if err != nil || !bytes.Equal(b, unhexed(c.hex)) {
				t.Errorf("got  %x, %v; want %x", b, err, unhexed(c.hex))
			}
		})
	}
}

// A message's padding counts from its own start, wherever in a buffer that is.
func TestAppendAfterOtherBytes(t *testing.T) {
	for _, c := range messageCases() {
		b, err := wire.AppendASAP([]byte("x"), c.m)
		if want := append([]byte("x"), unhexed(c.hex)...); err != nil || !bytes.Equal(b, want) {
			t.Errorf("%s: got %x, %v; want %x", c.name, b, err, want)
		}
	}
}

func TestEveryCause(t *testing.T) {
	want := map[wire.CauseCode]string{ // RFC 5354 table 2
		0x0: "unspecified error", 0x1: "unrecognized parameter", 0x2: "unrecognized message", 0x3: "invalid values",
		0x4: "non-unique PE identifier", 0x5: "inconsistent pooling policy", 0x6: "lack of resources",
		0x7: "inconsistent transport type", 0x8: "inconsistent data/control configuration",
		0x9: "unknown pool handle", 0xa: "rejected due to security considerations", 0xf008: "0xf008",
	}
	for code, name := range want {
		b := unhexed(fmt.Sprintf("0e 00 000c 000c 0008 %04x 0004", uint16(code)))
		m, err := wire.ParseASAP(b)
		if w := (&wire.ErrorMessage{Causes: []wire.ErrorCause{{Code: code}}}); err != nil || !reflect.DeepEqual(m, w) {
			t.Errorf("%v: got %+v, %v", code, m, err)
		}
		if code.String() != name {
			t.Errorf("got %q, want %q", code, name)
		}
	}
}
