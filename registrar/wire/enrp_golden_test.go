// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"reflect"
	"testing"

	"github.com/weir-lb/weir/registrar/wire"
)

const (
	peersCapture       = "testdata/rsplib-enrp-static-peers-3-registrars-takeover.pcap"
	calcappCapture     = "testdata/rsplib-calcapp-load-and-errors.pcap"
	unreachableCapture = "testdata/rsplib-unreachable-keepalive-timeout.pcap"
)

// The registrars of peersCapture, of which the first dies.
const (
	server1 = wire.ServerID(0x11111111)
	server2 = wire.ServerID(0x22222222)
	server3 = wire.ServerID(0x33333333)
)

func sctpAt(port uint16, use wire.TransportUse, as ...string) wire.Transport {
	return wire.Transport{Protocol: wire.ProtocolSCTP, Port: port, Use: use, Addrs: addrs(as...)}
}

// peersElement is an element of peersCapture, with the port and the addresses of its ASAP association.
func peersElement(id wire.PEID, port uint16, as ...string) wire.PoolElement {
	asap := sctpAt(port, wire.UseDataOnly, as...)
	return wire.PoolElement{
		ID: id, Home: server3, Life: 90000, User: sctpAt(7777, wire.UseDataControl, as[0]), Policy: wire.RoundRobin(), ASAP: &asap,
	}
}

// peersMessages are messages of each type in peersCapture, by frame, as tshark describes them.
func peersMessages() map[int]wire.ENRPMessage {
	empty, three := uint16(0xffff), uint16(0xb53d)
	info := func(id wire.ServerID, a string) wire.ServerInfo {
		return wire.ServerInfo{ID: id, Transport: sctpAt(9901, wire.UseDataOnly, a)}
	}
	info1, info3 := info(server1, "10.0.0.1"), info(server3, "10.0.0.3")
	pe1, pe2 := peersElement(0x91, 35464, "10.0.0.11", "10.1.0.11"), peersElement(0x92, 38133, "10.0.0.12")
	pe4 := peersElement(0x94, 51900, "10.0.0.14")
	from := func(sender, receiver wire.ServerID) wire.Servers {
		return wire.Servers{Sender: sender, Receiver: receiver}
	}
	return map[int]wire.ENRPMessage{
		3:  &wire.Presence{Servers: from(server3, 0), Checksum: &empty, Info: &info3},
		9:  &wire.Presence{Servers: from(server1, server3), ReplyRequired: true, Checksum: &empty, Info: &info1},
		11: &wire.ListRequest{Servers: from(server1, server3)},
		12: &wire.HandleTableRequest{Servers: from(server1, server3)},
		26: &wire.HandleTableResponse{Servers: from(server3, server1)},
		28: &wire.ListResponse{Servers: from(server1, server3), Peers: []wire.ServerInfo{info(0, "10.0.0.2"), info3}},
		97: &wire.HandleUpdate{
			Servers: from(server3, server1), Action: wire.ActionAddPE, Pool: goldenPool, Element: pe4,
		},
		188: &wire.InitTakeover{Servers: from(server3, server1), Target: server1},
		191: &wire.InitTakeoverAck{Servers: from(server2, server3), Target: server1},
		211: &wire.Presence{Servers: from(server3, server2), Checksum: &three, Info: &info3},
		212: &wire.HandleTableRequest{Servers: from(server2, server3), OwnChildren: true},
		213: &wire.HandleTableResponse{Servers: from(server3, server2), Entries: []wire.PoolEntry{
			{Pool: goldenPool, Elements: []wire.PoolElement{pe1, pe2, pe4}},
		}},
		283: &wire.HandleUpdate{
			Servers: from(server3, 0), Action: wire.ActionDeletePE, Pool: goldenPool, Element: pe1,
		},
	}
}

func TestGoldenPeers(t *testing.T) {
	want := peersMessages()
	for _, c := range readCapture(t, peersCapture) {
		w := want[c.frame]
		if w == nil || !c.enrp {
			continue
		}
		if m, err := wire.ParseENRP(c.b); err != nil || !reflect.DeepEqual(m, w) {
			t.Errorf("frame %d: got %+v, %v; want %+v", c.frame, m, err, w)
		}
		delete(want, c.frame)
	}
	if len(want) != 0 {
		t.Errorf("not in the capture: %v", want)
	}
}

// What rsplib's registrars state as their checksums is what ours gives for the elements they own at that time.
func TestGoldenChecksums(t *testing.T) {
	owned := map[int][]wire.PEID{
		79:  nil, // before any registration
		129: {0x94},
		133: {0x91, 0x92},
		138: {0x93},
		210: {0x91, 0x92, 0x94}, // taken over
	}
	for _, c := range readCapture(t, peersCapture) {
		pes, ok := owned[c.frame]
		if !ok {
			continue
		}
		m, err := wire.ParseENRP(c.b)
		if err != nil {
			t.Fatal(err)
		}
		var sum wire.Checksum
		for _, pe := range pes {
			sum.Add(goldenPool, pe)
		}
		if got := m.(*wire.Presence).Checksum; got == nil || *got != sum.Value() {
			t.Errorf("frame %d: rsplib states %#04x, ours is %#04x", c.frame, *got, sum.Value())
		}
		delete(owned, c.frame)
	}
	if len(owned) != 0 {
		t.Errorf("not in the capture: %v", owned)
	}
}

// The types of ASAP messages that goldenCapture does not have, and rejections.
func TestGoldenRest(t *testing.T) {
	cases := []struct {
		capture string
		frame   int
		want    wire.Message
	}{
		{calcappCapture, 116, &wire.Cookie{Data: unhexed("0000000200000000005364c400000000002627ee")}},
		{calcappCapture, 162, &wire.RegistrationResponse{Reject: true, Pool: "CalcAppPool", PE: 0xd3,
			Causes: []wire.ErrorCause{{Code: wire.CauseInconsistentPolicy}}}}, // without the pool's policy: 3.12.6 requires it
		{calcappCapture, 144, &wire.HandleResolutionResponse{Pool: "NoSuchPool",
			Causes: []wire.ErrorCause{{Code: wire.CauseUnknownPoolHandle}}}},
		{unreachableCapture, 49, &wire.EndpointUnreachable{Pool: goldenPool, PE: 0xe2}},
	}
	for _, c := range cases {
		found := false
		for _, got := range readCapture(t, c.capture) {
			if got.frame != c.frame {
				continue
			}
			found = true
			if m, err := wire.ParseASAP(got.b); err != nil || !reflect.DeepEqual(m, c.want) {
				t.Errorf("frame %d: got %+v, %v; want %+v", c.frame, m, err, c.want)
			}
		}
		if !found {
			t.Errorf("%s has no message in frame %d", c.capture, c.frame)
		}
	}
}
