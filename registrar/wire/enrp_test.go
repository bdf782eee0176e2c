// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"bytes"
	"reflect"
	"slices"
	"testing"

	"github.com/weir-lb/weir/registrar/wire"
)

type enrpCase struct {
	name string
	hex  string
	m    wire.ENRPMessage
}

// enrpCases are exact both ways; written by hand from the figures of RFC 5353 section 2 and RFC 5354.
func enrpCases() []enrpCase {
	return slices.Concat(presenceCases(), handleTableCases(), peerCases())
}

const exampleReceiver = wire.ServerID(0x01020304)

func exampleServers() wire.Servers {
	return wire.Servers{Sender: exampleServer, Receiver: exampleReceiver}
}

func exampleInfo() wire.ServerInfo {
	return wire.ServerInfo{ID: exampleServer, Transport: wire.Transport{
		Protocol: wire.ProtocolSCTP, Port: 9901, Addrs: addrs("192.0.2.2", "2001:db8::1"),
	}}
}

func presenceCases() []enrpCase {
	sum, info := uint16(0xb41e), exampleInfo()
	tcp := wire.ServerInfo{ID: exampleServer, Transport: wire.Transport{
		Protocol: wire.ProtocolTCP, Port: 9902, Addrs: addrs("192.0.2.2"),
	}}
	return []enrpCase{
		{"presence to all", `
			01 00 0012 0a0b0c0d 00000000 000f 0006 b41e 0000`,
			&wire.Presence{Servers: wire.Servers{Sender: exampleServer}, Checksum: &sum}},
		{"presence, reply required", `
			01 01 0040 0a0b0c0d 01020304
			000f 0006 b41e 0000
			000b 002c 0a0b0c0d                   ; server information
			  0004 0024 26ad 0000 0001 0008 c0000202 0002 0014 20010db8000000000000000000000001`,
			&wire.Presence{Servers: exampleServers(), ReplyRequired: true, Checksum: &sum, Info: &info}},
		{"presence of a registrar without SCTP", `
			01 00 0024 0a0b0c0d 01020304 000b 0018 0a0b0c0d 0005 0010 26ae 0000 0001 0008 c0000202`,
			&wire.Presence{Servers: exampleServers(), Info: &tcp}},
		{"presence with neither parameter", `
			01 00 000c 0a0b0c0d 01020304`,
			&wire.Presence{Servers: exampleServers()}},
	}
}

func handleTableCases() []enrpCase {
	first, second, third := exampleElement(), exampleElement(), exampleElement()
	second.ID, third.ID = 0x01020305, 0x01020306
	odd := exampleElement()
	odd.Policy = wire.Policy{Type: 0x80000001, Data: []byte{0xaa}}
	return []enrpCase{
		{"handle table request", `02 00 000c 0a0b0c0d 01020304`, &wire.HandleTableRequest{Servers: exampleServers()}},
		{"handle table request for own children", `
			02 01 000c 0a0b0c0d 01020304`,
			&wire.HandleTableRequest{Servers: exampleServers(), OwnChildren: true}},
		{"handle table response, rejected", `
			03 01 000c 0a0b0c0d 01020304`,
			&wire.HandleTableResponse{Servers: exampleServers(), Reject: true}},
		{"handle table response, empty", `
			03 00 000c 0a0b0c0d 01020304`,
			&wire.HandleTableResponse{Servers: exampleServers()}},
		{"handle table response, two pools, more to send", `
			03 02 0098 0a0b0c0d 01020304
			0009 0007 776562 00
			000a 0028 01020304 00000000 0000012c 0005 0010 0050 0000 0001 0008 c0000201 0008 0008 00000001
			000a 0028 01020305 00000000 0000012c 0005 0010 0050 0000 0001 0008 c0000201 0008 0008 00000001
			0009 0009 7765622d31 000000
			000a 0028 01020306 00000000 0000012c 0005 0010 0050 0000 0001 0008 c0000201 0008 0008 00000001`,
			&wire.HandleTableResponse{Servers: exampleServers(), More: true, Entries: []wire.PoolEntry{
				{Pool: "web", Elements: []wire.PoolElement{first, second}},
				{Pool: "web-1", Elements: []wire.PoolElement{third}},
			}}},
		{"handle table response, padding between elements counts, after the last not", `
			03 00 0069 0a0b0c0d 01020304
			0009 0008 77656278
			000a 0029 01020304 00000000 0000012c 0005 0010 0050 0000 0001 0008 c0000201 0008 0009 80000001 aa 000000
			000a 0029 01020304 00000000 0000012c 0005 0010 0050 0000 0001 0008 c0000201 0008 0009 80000001 aa 000000`,
			&wire.HandleTableResponse{Servers: exampleServers(), Entries: []wire.PoolEntry{
				{Pool: "webx", Elements: []wire.PoolElement{odd, odd}},
			}}},
		{"handle update, added", `
			04 00 0040 0a0b0c0d 01020304 0000 0000
			0009 0007 776562 00
			000a 0028 01020304 00000000 0000012c 0005 0010 0050 0000 0001 0008 c0000201 0008 0008 00000001`,
			&wire.HandleUpdate{Servers: exampleServers(), Action: wire.ActionAddPE, Pool: "web", Element: first}},
		{"handle update, deleted", `
			04 00 0040 0a0b0c0d 00000000 0001 0000
			0009 0007 776562 00
			000a 0028 01020304 00000000 0000012c 0005 0010 0050 0000 0001 0008 c0000201 0008 0008 00000001`,
			&wire.HandleUpdate{Servers: wire.Servers{Sender: exampleServer}, Action: wire.ActionDeletePE, Pool: "web", Element: first}},
	}
}

func peerCases() []enrpCase {
	info, target := exampleInfo(), wire.ServerID(0xf0f1f2f3)
	other := wire.ServerInfo{ID: target, Transport: wire.Transport{
		Protocol: wire.ProtocolSCTP, Port: 9901, Use: wire.UseDataControl, Addrs: addrs("192.0.2.3"),
	}}
	return []enrpCase{
		{"list request", `05 00 000c 0a0b0c0d 01020304`, &wire.ListRequest{Servers: exampleServers()}},
		{"list response, rejected", `
			06 01 000c 0a0b0c0d 01020304`,
			&wire.ListResponse{Servers: exampleServers(), Reject: true}},
		{"list response, empty", `06 00 000c 0a0b0c0d 01020304`, &wire.ListResponse{Servers: exampleServers()}},
		{"list response", `
			06 00 0050 0a0b0c0d 01020304
			000b 002c 0a0b0c0d 0004 0024 26ad 0000 0001 0008 c0000202 0002 0014 20010db8000000000000000000000001
			000b 0018 f0f1f2f3 0004 0010 26ad 0001 0001 0008 c0000203`,
			&wire.ListResponse{Servers: exampleServers(), Peers: []wire.ServerInfo{info, other}}},
		{"init takeover", `
			07 00 0010 0a0b0c0d 00000000 f0f1f2f3`,
			&wire.InitTakeover{Servers: wire.Servers{Sender: exampleServer}, Target: target}},
		{"init takeover acknowledgement", `
			08 00 0010 0a0b0c0d 01020304 f0f1f2f3`,
			&wire.InitTakeoverAck{Servers: exampleServers(), Target: target}},
		{"takeover server", `
			09 00 0010 0a0b0c0d 01020304 f0f1f2f3`,
			&wire.TakeoverServer{Servers: exampleServers(), Target: target}},
		{"error about two parameters", `
			0a 00 0024 0a0b0c0d 01020304 000c 0018 0001 0009 c001 0005 de 000000 0001 0008 c002 0004`,
			&wire.ENRPErrorMessage{Servers: exampleServers(), Causes: []wire.ErrorCause{
				{Code: wire.CauseUnrecognizedParameter, Info: unhexed("c001 0005 de")},
				{Code: wire.CauseUnrecognizedParameter, Info: unhexed("c002 0004")},
			}}},
	}
}

func TestParseENRP(t *testing.T) {
	for _, c := range enrpCases() {
		t.Run(c.name, func(t *testing.T) {
			m, err := wire.ParseENRP(unhexed(c.hex))
			if err != nil || !reflect.DeepEqual(m, c.m) {
				t.Errorf("got %+v, %v; want %+v", m, err, c.m)
			}
		})
	}
}

func TestAppendENRP(t *testing.T) {
	for _, c := range enrpCases() {
		t.Run(c.name, func(t *testing.T) {
			b, err := wire.AppendENRP([]byte("x"), c.m)
			if want := append([]byte("x"), unhexed(c.hex)...); err != nil || !bytes.Equal(b, want) {
				t.Errorf("got  %x, %v; want %x", b, err, want)
			}
		})
	}
}

func TestENRPNamesAndServers(t *testing.T) {
	names := []string{ // RFC 5353 figure 1
		"0x00", "ENRP_PRESENCE", "ENRP_HANDLE_TABLE_REQUEST", "ENRP_HANDLE_TABLE_RESPONSE", "ENRP_HANDLE_UPDATE",
		"ENRP_LIST_REQUEST", "ENRP_LIST_RESPONSE", "ENRP_INIT_TAKEOVER", "ENRP_INIT_TAKEOVER_ACK", "ENRP_TAKEOVER_SERVER",
		"ENRP_ERROR", "0x0b",
	}
	for typ, name := range names {
		if got := wire.ENRPType(typ).String(); got != name {
			t.Errorf("type %d: got %q, want %q", typ, got, name)
		}
	}
	seen := map[wire.ENRPType]bool{}
	for _, c := range enrpCases() {
		b := unhexed(c.hex)
		if got := c.m.Type(); byte(got) != b[0] {
			t.Errorf("%s: type %v", c.name, got)
		}
		want := wire.Servers{Sender: exampleServer, Receiver: exampleReceiver}
		if bytes.Equal(b[8:12], make([]byte, 4)) {
			want.Receiver = 0
		}
		if got := c.m.Between(); got != want {
			t.Errorf("%s: got %+v, want %+v", c.name, got, want)
		}
		seen[c.m.Type()] = true
	}
	if len(seen) != 10 {
		t.Errorf("%d of 10 types are tested", len(seen))
	}
	actions := []string{wire.ActionAddPE.String(), wire.ActionDeletePE.String(), wire.UpdateAction(2).String()}
	if want := []string{"ADD_PE", "DEL_PE", "0x0002"}; !reflect.DeepEqual(actions, want) {
		t.Errorf("got %q, want %q", actions, want)
	}
}

// What the RFC does not write but lets a receiver ignore.
func TestParseENRPTolerates(t *testing.T) {
	sum, info := uint16(0xb41e), exampleInfo()
	const server = "000b 002c 0a0b0c0d 0004 0024 26ad 0000 0001 0008 c0000202 0002 0014 20010db8000000000000000000000001"
	cases := []enrpCase{
		{"parameters in another order, padding counted", "01 00 0040 0a0b0c0d 01020304" + server + "000f 0006 b41e 0000",
			&wire.Presence{Servers: exampleServers(), Checksum: &sum, Info: &info}},
		{"undefined flags", "02 fe 000c 0a0b0c0d 01020304", &wire.HandleTableRequest{Servers: exampleServers()}},
		{"undefined flags of a table", "03 fc 000c 0a0b0c0d 01020304", &wire.HandleTableResponse{Servers: exampleServers()}},
		{"padding absent", "01 00 0012 0a0b0c0d 01020304 000f 0006 b41e",
			&wire.Presence{Servers: exampleServers(), Checksum: &sum}},
		{"reserved bits of an update", `
			04 00 0040 0a0b0c0d 01020304 0001 ffff
			0009 0007 776562 00
			000a 0028 01020304 00000000 0000012c 0005 0010 0050 0000 0001 0008 c0000201 0008 0008 00000001`,
			&wire.HandleUpdate{Servers: exampleServers(), Action: wire.ActionDeletePE, Pool: "web", Element: exampleElement()}},
		{"one pool in two entries", `
			03 00 006c 0a0b0c0d 01020304
			0009 0008 77656278
			000a 0028 01020304 00000000 0000012c 0005 0010 0050 0000 0001 0008 c0000201 0008 0008 00000001
			0009 0008 77656278
			000a 0028 01020304 00000000 0000012c 0005 0010 0050 0000 0001 0008 c0000201 0008 0008 00000001`,
			&wire.HandleTableResponse{Servers: exampleServers(), Entries: []wire.PoolEntry{
				{Pool: "webx", Elements: []wire.PoolElement{exampleElement()}},
				{Pool: "webx", Elements: []wire.PoolElement{exampleElement()}},
			}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m, err := wire.ParseENRP(unhexed(c.hex))
			if err != nil || !reflect.DeepEqual(m, c.m) {
				t.Errorf("got %+v, %v; want %+v", m, err, c.m)
			}
		})
	}
}

// Appending to one entry's elements leaves the next entry's alone.
func TestPoolEntriesAreApart(t *testing.T) {
	for _, c := range handleTableCases() {
		m, err := wire.ParseENRP(unhexed(c.hex))
		if err != nil {
			t.Fatal(err)
		}
		table, ok := m.(*wire.HandleTableResponse)
		if !ok || len(table.Entries) < 2 {
			continue
		}
		_ = append(table.Entries[0].Elements, wire.PoolElement{})
		if !reflect.DeepEqual(m, c.m) {
			t.Errorf("%s: became %+v", c.name, m)
		}
		return
	}
	t.Error("no table of two entries")
}
