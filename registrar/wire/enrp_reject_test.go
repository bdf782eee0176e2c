// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/weir-lb/weir/registrar/wire"
)

func checkENRPInvalid(t *testing.T, b []byte, offset int, param string, report bool) {
	t.Helper()
	m, err := wire.ParseENRP(b)
	if m != nil || err == nil {
		t.Fatalf("got %+v, %v", m, err)
	}
	e := asError(t, err)
	if e.Cause != wire.CauseInvalidValues || e.Offset != offset || e.Report != report || !bytes.Equal(e.Param, unhexed(param)) {
		t.Errorf("got cause %v, offset %d, report %v, parameter %x (%v)", e.Cause, e.Offset, e.Report, e.Param, e)
	}
}

func TestInvalidENRPMessages(t *testing.T) {
	const (
		between = "0a0b0c0d 01020304"
		handle  = "0009 0007 776562 00"
		element = "000a 001c 01020304 00000000 0000012c 0010 0004 0008 0008 00000001"
		sum     = "000f 0006 b41e 0000"
		sctp    = "0004 0010 26ad 0000 0001 0008 c0000202"
		server  = "000b 0018 0a0b0c0d" + sctp
	)
	cases := []rejection{
		{"no servers", "01 00 0004", 0, "01000004"},
		{"cut in the receiver", "05 00 000b 0a0b0c0d 010203 00", 0, "05 00 000b 0a0b0c0d 010203"},
		{"two checksums", "01 00 001c" + between + sum + sum, 20, "000f 0006 b41e"},
		{"checksum too short", "01 00 0011" + between + "000f 0005 b4 000000", 12, "000f 0005 b4"},
		{"checksum too long", "01 00 0014" + between + "000f 0008 b41e 0000", 12, "000f 0008 b41e 0000"},
		{"two server informations", "01 00 003c" + between + server + server, 36, server},
		{"server information without a transport", "01 00 0014" + between + "000b 0008 0a0b0c0d", 12, "000b 0008 0a0b0c0d"},
		{"server information with two", "01 00 0034" + between + "000b 0028 0a0b0c0d" + sctp + sctp, 12,
			"000b 0028 0a0b0c0d" + sctp + sctp},
		{"server information over UDP", "01 00 0024" + between + "000b 0018 0a0b0c0d 0006 0010 26ad 0000 0001 0008 c0000202", 20,
			"0006 0010 26ad 0000 0001 0008 c0000202"},
		{"server information cut in its identifier", "01 00 0013" + between + "000b 0007 0a0b0c 00", 12, "000b 0007 0a0b0c"},
		{"pool handle in a presence", "01 00 0014" + between + handle, 12, "0009 0007 776562"},
		{"checksum in a request", "02 00 0014" + between + sum, 12, "000f 0006 b41e"},
		{"rejection with entries", "03 01 0030" + between + handle + element, 0, "03 01 0030" + between + handle + element},
		{"element before any pool handle", "03 00 0030" + between + element + handle, 12, element},
		{"entry without elements, then another", "03 00 0038" + between + handle + handle + element, 0,
			"03 00 0038" + between + handle + handle + element},
		{"last entry without elements", "03 00 0014" + between + handle, 0, "03 00 0014" + between + handle},
		{"empty pool handle in a table", "03 00 0010" + between + "0009 0004", 12, "0009 0004"},
		{"reserved action", "04 00 0034" + between + "0002 0000" + handle + element, 0,
			"04 00 0034" + between + "0002 0000" + handle + element},
		{"update without an action", "04 00 000c" + between, 0, "04 00 000c" + between},
		{"update without a pool handle", "04 00 002c" + between + "0000 0000" + element, 0, "04 00 002c" + between + "0000 0000" + element},
		{"update without an element", "04 00 0018" + between + "0000 0000" + handle, 0, "04 00 0018" + between + "0000 0000" + handle},
		{"update of two elements", "04 00 0050" + between + "0000 0000" + handle + element + element, 52, element},
		{"server in a list request", "05 00 0024" + between + server, 12, server},
		{"rejection with servers", "06 01 0024" + between + server, 0, "06 01 0024" + between + server},
		{"takeover without a target", "07 00 000c" + between, 0, "07 00 000c" + between},
		{"acknowledgement without a target", "08 00 000f" + between + "f0f1f2 00", 0, "08 00 000f" + between + "f0f1f2"},
		{"takeover server without a target", "09 00 000c" + between, 0, "09 00 000c" + between},
		{"parameter in a takeover", "09 00 0018" + between + "f0f1f2f3" + handle, 16, "0009 0007 776562"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { checkENRPInvalid(t, unhexed(c.hex), c.offset, c.param, true) })
	}
}

// Nothing answers an error about an error, nor what cannot be framed.
func TestInvalidENRPWithoutReport(t *testing.T) {
	cases := []rejection{
		{"error without a cause", "0a 00 000c 0a0b0c0d 01020304", 0, "0a 00 000c 0a0b0c0d 01020304"},
		{"error without servers", "0a 00 0008 0a0b0c0d", 0, "0a 00 0008 0a0b0c0d"},
		{"shorter than a header", "01 00 00", 0, ""},
		{"longer than what is there", "05 00 0010 0a0b0c0d 01020304", 2, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { checkENRPInvalid(t, unhexed(c.hex), c.offset, c.param, false) })
	}
}

// The rules are ASAP's (RFC 5354 sections 3 and 4); here only that they hold, and ASAP's tests go through them.
func TestUnrecognizedENRP(t *testing.T) {
	const head = "02 00 0018 0a0b0c0d 01020304 "
	cases := []struct {
		name, hex      string
		cause          wire.CauseCode
		offset, length int
		goesOn, report bool
	}{
		{"message 0", "00 00 000c 0a0b0c0d 01020304", wire.CauseUnrecognizedMessage, 0, 12, false, false},
		{"message 0x0b, which ASAP has", "0b 00 000c 000d 0008 01020304", wire.CauseUnrecognizedMessage, 0, 12, false, false},
		{"message 01", "40 00 0004", wire.CauseUnrecognizedMessage, 0, 4, false, true},
		{"message 11", "c0 00 0004", wire.CauseUnrecognizedMessage, 0, 4, false, false},
		{"parameter 00", head + "0011 000c 0102030405060708", wire.CauseUnrecognizedParameter, 12, 12, false, false},
		{"parameter 01", head + "4001 000c 0102030405060708", wire.CauseUnrecognizedParameter, 12, 12, false, true},
		{"parameter 10", head + "8001 000c 0102030405060708", 0, 0, 0, true, false},
		{"parameter 11", head + "c001 000c 0102030405060708", wire.CauseUnrecognizedParameter, 12, 12, true, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := unhexed(c.hex)
			m, err := wire.ParseENRP(b)
			if (m != nil) != c.goesOn {
				t.Errorf("got %+v", m)
			}
			if c.length == 0 {
				if err != nil {
					t.Errorf("got %v", err)
				}
				return
			}
			e := asError(t, err)
			if e.Cause != c.cause || e.Offset != c.offset || e.Report != c.report || !bytes.Equal(e.Param, b[c.offset:c.offset+c.length]) {
				t.Errorf("got cause %v, offset %d, report %v, parameter %x", e.Cause, e.Offset, e.Report, e.Param)
			}
		})
	}
}

func TestUnrecognizedParameterInServerInformation(t *testing.T) {
	b := unhexed("01 00 002c 0a0b0c0d 01020304 000b 0020 0a0b0c0d c001 0008 deadbeef 0004 0010 26ad 0000 0001 0008 c0000202")
	m, err := wire.ParseENRP(b)
	if m == nil || asError(t, err).Offset != 20 || m.(*wire.Presence).Info.ID != exampleServer {
		t.Errorf("got %+v, %v", m, err)
	}
}

// However a message is cut, what is left is refused by the header's length, and never sent on if that is mended.
func TestTruncatedENRP(t *testing.T) {
	for _, c := range enrpCases() {
		whole := unhexed(c.hex)
		stated := int(whole[2])<<8 | int(whole[3])
		for n := range stated {
			if m, err := wire.ParseENRP(whole[:n]); m != nil || err == nil {
				t.Errorf("%s cut to %d: got %+v, %v", c.name, n, m, err)
			}
			mended := bytes.Clone(whole[:n])
			if n >= wire.HeaderLen {
				mended[2], mended[3] = byte(n>>8), byte(n)
			}
			m, err := wire.ParseENRP(mended)
			if err != nil {
				asError(t, err)
				continue
			}
			if _, err := wire.AppendENRP(nil, m); err != nil {
				t.Errorf("%s cut to %d: %v", c.name, n, err)
			}
		}
	}
}

// A message may outlive the buffer that it was read into.
func TestParseENRPKeepsNothingOfItsInput(t *testing.T) {
	for _, c := range enrpCases() {
		b := unhexed(c.hex)
		m, err := wire.ParseENRP(b)
		for i := range b {
			b[i] = 0x55
		}
		if err != nil || !reflect.DeepEqual(m, c.m) {
			t.Errorf("%s: changed with its input to %+v, %v", c.name, m, err)
		}
	}
}

func TestAppendENRPRefuses(t *testing.T) {
	info, e := exampleInfo(), exampleElement()
	udp := wire.ServerInfo{Transport: wire.Transport{Protocol: wire.ProtocolUDP, Addrs: addrs("192.0.2.1")}}
	cases := []struct {
		name string
		m    wire.ENRPMessage
		want string
	}{
		{"no message", nil, "encode: no message"},
		{"server over UDP", &wire.Presence{Info: &udp}, "encode ENRP_PRESENCE: server transport is neither SCTP nor TCP"},
		{"server without a transport", &wire.ListResponse{Peers: make([]wire.ServerInfo, 1)},
			"encode ENRP_LIST_RESPONSE: server transport is neither SCTP nor TCP"},
		{"rejection with servers", &wire.ListResponse{Reject: true, Peers: []wire.ServerInfo{info}},
			"encode ENRP_LIST_RESPONSE: rejection with server information"},
		{"rejection with entries", &wire.HandleTableResponse{Reject: true, Entries: make([]wire.PoolEntry, 1)},
			"encode ENRP_HANDLE_TABLE_RESPONSE: rejection with pool entries"},
		{"entry without elements", &wire.HandleTableResponse{Entries: []wire.PoolEntry{{Pool: "web"}}},
			"encode ENRP_HANDLE_TABLE_RESPONSE: pool entry without elements"},
		{"entry without a pool handle", &wire.HandleTableResponse{Entries: []wire.PoolEntry{{Elements: []wire.PoolElement{e}}}},
			"encode ENRP_HANDLE_TABLE_RESPONSE: empty pool handle"},
		{"reserved action", &wire.HandleUpdate{Action: 2, Pool: "web", Element: e},
			"encode ENRP_HANDLE_UPDATE: reserved update action 0x0002"},
		{"update without an element", &wire.HandleUpdate{Pool: "web"},
			"encode ENRP_HANDLE_UPDATE: unknown transport protocol 0x0000"},
		{"error without a cause", &wire.ENRPErrorMessage{}, "encode ENRP_ERROR: no cause"},
		{"cause of 65,516 bytes", &wire.ENRPErrorMessage{Causes: []wire.ErrorCause{{Info: make([]byte, 65516)}}},
			"encode ENRP_ERROR: longer than 65535 bytes"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b, err := wire.AppendENRP([]byte("kept"), c.m)
			if err == nil || err.Error() != c.want || string(b) != "kept" {
				t.Errorf("got %q, %v; want %v", b, err, c.want)
			}
		})
	}
}
