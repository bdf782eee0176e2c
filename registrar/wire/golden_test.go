// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"bytes"
	"net/netip"
	"reflect"
	"testing"

	"github.com/weir-lb/weir/registrar/wire"
)

const goldenCapture = "testdata/rsplib-asap-basic.pcap"

// What tshark says about the capture.
const (
	goldenPool   wire.PoolHandle = "EchoPool"
	goldenPE     wire.PEID       = 0x0000aaaa
	goldenServer wire.ServerID   = 0x11111111

	firstRegistration = 7 // the only frame in which the element does not know its home registrar yet
)

func goldenElement(home wire.ServerID) wire.PoolElement {
	return wire.PoolElement{
		ID:   goldenPE,
		Home: home,
		Life: 9000,
		User: wire.Transport{
			Protocol: wire.ProtocolSCTP,
			Port:     7777,
			Use:      wire.UseDataControl,
			Addrs:    []netip.Addr{netip.MustParseAddr("10.0.0.11")},
		},
		Policy: wire.Policy{Type: wire.PolicyRoundRobin},
	}
}

func goldenMessages() map[wire.MessageType]wire.Message {
	items, pe, policy := uint32(1), goldenPE, wire.Policy{Type: wire.PolicyRoundRobin}
	return map[wire.MessageType]wire.Message{
		wire.TypeServerAnnounce:         &wire.ServerAnnounce{Server: goldenServer},
		wire.TypeEndpointKeepAliveAck:   &wire.EndpointKeepAliveAck{Pool: goldenPool, PE: goldenPE},
		wire.TypeEndpointKeepAlive:      &wire.EndpointKeepAlive{Server: goldenServer, Pool: goldenPool, PE: &pe},
		wire.TypeRegistrationResponse:   &wire.RegistrationResponse{Pool: goldenPool, PE: goldenPE},
		wire.TypeRegistration:           &wire.Registration{Pool: goldenPool, Element: goldenElement(goldenServer)},
		wire.TypeHandleResolution:       &wire.HandleResolution{Pool: goldenPool, Items: &items},
		wire.TypeDeregistration:         &wire.Deregistration{Pool: goldenPool, PE: goldenPE},
		wire.TypeDeregistrationResponse: &wire.DeregistrationResponse{Pool: goldenPool, PE: goldenPE},
		wire.TypeHandleResolutionResponse: &wire.HandleResolutionResponse{
			Pool:     goldenPool,
			Policy:   &policy,
			Elements: []wire.PoolElement{goldenElement(goldenServer)},
		},
	}
}

func TestGoldenMessages(t *testing.T) {
	want := goldenMessages()
	for _, c := range readCapture(t, goldenCapture) {
		m, err := wire.ParseASAP(c.b)
		if err != nil {
			t.Errorf("frame %d: %v", c.frame, err)
			continue
		}
		w := want[m.Type()]
		if c.frame == firstRegistration {
			w = &wire.Registration{Pool: goldenPool, Element: goldenElement(0)}
		}
		if !reflect.DeepEqual(m, w) {
			t.Errorf("frame %d: got %+v, want %+v", c.frame, m, w)
		}
		again, err := wire.AppendASAP(nil, m)
		if err != nil || !bytes.Equal(again, c.b) {
			t.Errorf("frame %d: encoded again %x, want %x (%v)", c.frame, again, c.b, err)
		}
	}
}

func TestGoldenCounts(t *testing.T) {
	got := map[wire.MessageType]int{}
	for _, c := range readCapture(t, goldenCapture) {
		got[wire.MessageType(c.b[0])]++
	}
	want := map[wire.MessageType]int{
		wire.TypeServerAnnounce:           16,
		wire.TypeEndpointKeepAliveAck:     4,
		wire.TypeEndpointKeepAlive:        4,
		wire.TypeRegistrationResponse:     4,
		wire.TypeRegistration:             4,
		wire.TypeHandleResolutionResponse: 1,
		wire.TypeHandleResolution:         1,
		wire.TypeDeregistrationResponse:   1,
		wire.TypeDeregistration:           1,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
