// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/weir-lb/weir/registrar/wire"
)

// asError is err as what every error of ParseASAP must be.
func asError(t testing.TB, err error) *wire.Error {
	t.Helper()
	e, ok := errors.AsType[*wire.Error](err)
	if !ok {
		t.Fatalf("%T %v is not a *wire.Error", err, err)
	}
	return e
}

type rejection struct {
	name, hex string
	offset    int
	param     string // the offending TLV
}

func checkInvalid(t *testing.T, b []byte, offset int, param string, report bool) {
	t.Helper()
	m, err := wire.ParseASAP(b)
	if m != nil || err == nil {
		t.Fatalf("got %+v, %v", m, err)
	}
	e := asError(t, err)
	if e.Cause != wire.CauseInvalidValues || e.Offset != offset || e.Report != report {
		t.Errorf("got cause %v, offset %d, report %v (%v)", e.Cause, e.Offset, e.Report, e)
	}
	if !bytes.Equal(e.Param, unhexed(param)) {
		t.Errorf("got parameter %x, want %x", e.Param, unhexed(param))
	}
	if c := e.ErrorCause(); c.Code != wire.CauseInvalidValues || !bytes.Equal(c.Info, e.Param) {
		t.Errorf("got %+v to report", c)
	}
}

// Where a message ends is not known, so nothing is reported.
func TestFraming(t *testing.T) {
	cases := []rejection{
		{"empty", "", 0, ""},
		{"shorter than a header", "05 00 00", 0, ""},
		{"length below the header's", "05 00 0003", 2, ""},
		{"length zero", "05 00 0000", 2, ""},
		{"longer than what is there", "05 00 000c 0009 0007 776562", 2, ""},
		{"more than padding behind it", "05 00 000c 0009 0008 77656278 00", 2, ""},
		{"four bytes behind it", "05 00 000b 0009 0007 776562 00000000 00", 2, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { checkInvalid(t, unhexed(c.hex), c.offset, c.param, false) })
	}
}

func TestInvalidMessages(t *testing.T) {
	const handle, pe = "0009 0007 776562 00", "000e 0008 01020304"
	cases := []rejection{
		{"no parameters", "02 00 0004", 0, "02000004"},
		{"no pool handle", "02 00 000c" + pe, 0, "02 00 000c" + pe},
		{"no PE identifier", "02 00 000c" + handle, 0, "02 00 000c" + handle},
		{"no pool element", "01 00 000c" + handle, 0, "01 00 000c" + handle},
		{"two pool handles", "02 00 001c" + handle + pe + handle, 20, "0009 0007 776562"},
		{"two PE identifiers", "02 00 001c" + handle + pe + pe, 20, pe},
		{"two PE identifiers where it is optional", "07 00 0020 0a0b0c0d" + handle + pe + pe, 24, pe},
		{"two operation errors", "04 00 0024" + handle + pe + "000c 0008 000a 0004 000c 0008 000a 0004", 28, "000c 0008 000a 0004"},
		{"two policies", "06 00 001c" + handle + "0008 0008 00000001 0008 0008 00000001", 20, "0008 0008 00000001"},
		{"two pool elements", "01 00 0048" + handle +
			"000a 001c 01020304 00000000 0000012c 0010 0004 0008 0008 00000001" +
			"000a 001c 01020304 00000000 0000012c 0010 0004 0008 0008 00000001 00000000", 40,
			"000a 001c 01020304 00000000 0000012c 0010 0004 0008 0008 00000001"},
		{"empty pool handle", "05 00 0008 0009 0004", 4, "0009 0004"},
		{"PE identifier too short", "02 00 0012" + handle + "000e 0006 0102 0000", 12, "000e 0006 0102"},
		{"PE identifier too long", "02 00 0018" + handle + "000e 000c 01020304 05060708", 12, "000e 000c 01020304 05060708"},
		{"cookie without its parameter", "0b 00 0004", 0, "0b000004"},
		{"cookie echo without a cookie", "0c 00 0004", 0, "0c000004"},
		{"two cookies", "0b 00 0014 000d 0008 01020304 000d 0008 01020304", 12, "000d 0008 01020304"},
		{"business card without a pool handle", "0d 00 0004", 0, "0d000004"},
		{"PE identifier in a business card", "0d 00 0014" + handle + pe, 12, pe},
		{"cookie where none belongs", "05 00 0014" + handle + "000d 0008 01020304", 12, "000d 0008 01020304"},
		{"PE checksum where none belongs", "05 00 0012" + handle + "000f 0006 ffff 0000", 12, "000f 0006 ffff"},
		{"server information where none belongs", "05 00 0014" + handle + "000b 0008 0a0b0c0d", 12, "000b 0008 0a0b0c0d"},
		{"pool element in a deregistration", "02 00 001c" + handle + pe + "000a 0008 01020304", 20, "000a 0008 01020304"},
		{"parameter length 0", "05 00 000c 0009 0000 77656200", 4, "0009 0000 77656200"},
		{"parameter length 3", "05 00 000c 0009 0003 77656200", 4, "0009 0003 77656200"},
		{"parameter longer than the message", "05 00 000b 0009 0008 776562 00", 4, "0009 0008 776562"},
		{"parameter cut in its header", "05 00 000f" + handle + "000e00", 12, "000e00"},
		{"keep-alive without a server identifier", "07 00 0007 0a0b0c 00", 0, "07 00 0007 0a0b0c"},
		{"announce without a server identifier", "0a 00 0004", 0, "0a 00 0004"},
		{"announce of a UDP transport", "0a 00 0018 0a0b0c0d 0006 0010 0f17 0000 0001 0008 c0000201", 8,
			"0006 0010 0f17 0000 0001 0008 c0000201"},
		{"resolution neither positive nor negative", "06 00 000c" + handle, 0, "06 00 000c" + handle},
		{"negative resolution with a policy", "06 00 001c" + handle + "0008 0008 00000001 000c 0008 0009 0004", 0,
			"06 00 001c" + handle + "0008 0008 00000001 000c 0008 0009 0004"},
		{"negative resolution with an element", "06 00 0030" + handle +
			"000a 001c 01020304 00000000 0000012c 0010 0004 0008 0008 00000001 000c 0008 0009 0004", 0, "06 00 0030" + handle +
			"000a 001c 01020304 00000000 0000012c 0010 0004 0008 0008 00000001 000c 0008 0009 0004"},
		{"operation error without a cause", "04 00 0018" + handle + pe + "000c 0004", 20, "000c 0004"},
		{"cause length 3", "04 00 001c" + handle + pe + "000c 0008 000a 0003", 24, "000a 0003"},
		{"cause longer than the operation error", "04 00 0020" + handle + pe + "000c 0008 000a 0008 01020304", 24, "000a 0008"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { checkInvalid(t, unhexed(c.hex), c.offset, c.param, true) })
	}
}

// Nothing answers an error about an error. The rules for unrecognized parameters know no such exception (RFC 5354 section
// 3), and TestUnrecognizedParameterOfError holds them.
func TestInvalidErrorIsNotReported(t *testing.T) {
	for _, s := range []string{"0e 00 0004", "0e 00 0008 000c 0004", "0e 00 000c 000c 0008 0009 0003", "0e 00 0006 000c 0000"} {
		m, err := wire.ParseASAP(unhexed(s))
		if e := asError(t, err); m != nil || e.Cause != wire.CauseInvalidValues || e.Report {
			t.Errorf("%s: got %+v, %v, report %v", s, m, err, e.Report)
		}
	}
}

func TestInvalidElements(t *testing.T) {
	const policy = "0008 0008 00000001"
	const tcp = "0005 0010 0050 0000 0001 0008 c0000201"
	const sctp = "0004 0010 0f17 0000 0001 0008 c0000202"
	cases := []rejection{ // offsets count from the element's parameters
		{"SCTP transport without an address", "0004 0008 1e61 0000" + policy, 0, "0004 0008 1e61 0000"},
		{"TCP transport without an address", "0005 0008 0050 0000" + policy, 0, "0005 0008 0050 0000"},
		{"TCP transport with two addresses", "0005 0018 0050 0000 0001 0008 c0000201 0001 0008 c0000202" + policy, 0,
			"0005 0018 0050 0000 0001 0008 c0000201 0001 0008 c0000202"},
		{"UDP transport with two addresses", "0006 0018 0050 0000 0001 0008 c0000201 0001 0008 c0000202" + policy, 0,
			"0006 0018 0050 0000 0001 0008 c0000201 0001 0008 c0000202"},
		{"DCCP transport without an address", "0003 000c 1389 0000 53434f44" + policy, 0, "0003 000c 1389 0000 53434f44"},
		{"DCCP transport without a service code", "0003 0008 1389 0000" + policy, 0, "0003 0008 1389 0000"},
		{"transport cut before its port", "0005 0004" + policy, 0, "0005 0004"},
		{"transport cut in its port", "0005 0005 00 000000" + policy, 0, "0005 0005 00"},
		{"transport use 2", "0004 0010 1e61 0002 0001 0008 c0000201" + policy, 0, "0004 0010 1e61 0002 0001 0008 c0000201"},
		{"IPv4 address of 3 bytes", "0005 000f 0050 0000 0001 0007 c00002 00" + policy, 8, "0001 0007 c00002"},
		{"IPv4 address of 16 bytes", "0005 001c 0050 0000 0001 0014 20010db8000000000000000000000001" + policy, 8,
			"0001 0014 20010db8000000000000000000000001"},
		{"IPv6 address of 4 bytes", "0005 0010 0050 0000 0002 0008 c0000201" + policy, 8, "0002 0008 c0000201"},
		{"policy among the addresses", "0005 0018 0050 0000 0001 0008 c0000201" + policy + policy, 16, policy},
		{"reserved policy 0", tcp + "0008 0008 00000000", 16, "0008 0008 00000000"},
		{"reserved policy 0x40000000", tcp + "0008 0008 40000000", 16, "0008 0008 40000000"},
		{"policy without a type", tcp + "0008 0006 0000 0000", 16, "0008 0006 0000"},
		{"weighted round robin without a weight", tcp + "0008 0008 00000002", 16, "0008 0008 00000002"},
		{"weighted random with half a weight", tcp + "0008 000a 00000004 0001 0000", 16, "0008 000a 00000004 0001"},
		{"priority without one", tcp + "0008 0008 00000005", 16, "0008 0008 00000005"},
		{"least used without a load", tcp + "0008 0008 40000001", 16, "0008 0008 40000001"},
		{"degradation missing", tcp + "0008 000c 40000002 00000001", 16, "0008 000c 40000002 00000001"},
		{"priority least used, degradation missing", tcp + "0008 000c 40000003 00000001", 16, "0008 000c 40000003 00000001"},
		{"randomized least used without a load", tcp + "0008 0008 40000004", 16, "0008 0008 40000004"},
		{"two policies", tcp + policy + policy, 24, policy},
		{"no policy", tcp, -16, "000a 0020 01020304 00000000 0000012c" + tcp},
		{"no transport", policy, -16, "000a 0018 01020304 00000000 0000012c" + policy},
		{"three transports", tcp + policy + sctp + sctp, -16, "000a 0048 01020304 00000000 0000012c" + tcp + policy + sctp + sctp},
		{"ASAP transport over TCP", tcp + policy + tcp, -16, "000a 0038 01020304 00000000 0000012c" + tcp + policy + tcp},
		{"pool handle in a pool element", tcp + policy + "0009 0008 77656278", 24, "0009 0008 77656278"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			checkInvalid(t, registrationOf(c.hex), nestedOffset+c.offset, c.param, true)
		})
	}
}

func TestInvalidElementHeaders(t *testing.T) {
	cases := []rejection{
		{"cut in its fixed fields", "01 00 0017 0009 0007 776562 00 000a 000b 01020304 000000 00", 12, "000a 000b 01020304 000000"},
		{"life -2", "01 00 0028 0009 0007 776562 00 000a 001c 01020304 00000000 fffffffe 0010 0004 0008 0008 00000001", 12,
			"000a 001c 01020304 00000000 fffffffe 0010 0004 0008 0008 00000001"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { checkInvalid(t, unhexed(c.hex), c.offset, c.param, true) })
	}
}

// However a message is cut, what is left is refused: by the header's length, and by the parameters' if that is mended.
func TestTruncated(t *testing.T) {
	for _, c := range messageCases() {
		whole := unhexed(c.hex)
		stated := int(whole[2])<<8 | int(whole[3])
		for n := range stated {
			if m, err := wire.ParseASAP(whole[:n]); m != nil || err == nil {
				t.Errorf("%s cut to %d: got %+v, %v", c.name, n, m, err)
			}
			mended := bytes.Clone(whole[:n])
			if n >= wire.HeaderLen {
				mended[2], mended[3] = byte(n>>8), byte(n)
			}
			m, err := wire.ParseASAP(mended)
			if err != nil {
				asError(t, err)
				continue
			}
			if _, err := wire.AppendASAP(nil, m); err != nil {
				t.Errorf("%s cut to %d: %v", c.name, n, err)
			}
		}
	}
}

func TestErrorText(t *testing.T) {
	cases := map[string]*wire.Error{
		"non-unique PE identifier at offset 0":          {Cause: wire.CauseNonUniquePEID},
		"invalid values at offset 4: empty pool handle": {Cause: wire.CauseInvalidValues, Offset: 4, Reason: "empty pool handle"},
	}
	for want, e := range cases {
		if e.Error() != want {
			t.Errorf("got %q, want %q", e.Error(), want)
		}
	}
}
