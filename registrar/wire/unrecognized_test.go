// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"bytes"
	"encoding/binary"
	"reflect"
	"strings"
	"testing"

	"github.com/weir-lb/weir/registrar/wire"
)

// RFC 5354 section 3: the two highest bits of an unrecognized parameter's type.
func TestUnrecognizedParameter(t *testing.T) {
	const stop, skip = false, true
	cases := []struct {
		name, param string
		goesOn      bool
		report      bool
	}{
		{"00 discards silently", "0011 0008 deadbeef", stop, false},
		{"00, the reserved type 0", "0000 0008 deadbeef", stop, false},
		{"00, the last type", "3fff 0008 deadbeef", stop, false},
		{"01 discards and reports", "4000 0008 deadbeef", stop, true},
		{"01 reports all but the padding", "7fff 0005 de", stop, true},
		{"10 skips", "8000 0008 deadbeef", skip, false},
		{"10 skips the padding too", "bfff 0005 de", skip, false},
		{"11 skips and reports", "c000 0008 deadbeef", skip, true},
		{"11, an IETF-defined extension", "ffff 0004", skip, true},
	}
	for _, c := range cases {
		padded := c.param + strings.Repeat("00", -len(unhexed(c.param))&3)
		t.Run(c.name, func(t *testing.T) {
			b := unhexed("02 00 0000 0009 0007 776562 00" + padded + "000e 0008 01020304")
			b[3] = byte(len(b))
			checkUnrecognized(t, b, 12, unhexed(c.param), c.goesOn, c.report, &wire.Deregistration{Pool: "web", PE: examplePE})
		})
		t.Run(c.name+", in a pool element", func(t *testing.T) {
			b := registrationOf("0005 0010 0050 0000 0001 0008 c0000201" + padded + "0008 0008 00000001")
			want := &wire.Registration{Pool: "web", Element: exampleElement()}
			checkUnrecognized(t, b, nestedOffset+16, unhexed(c.param), c.goesOn, c.report, want)
		})
		t.Run(c.name+", in a transport", func(t *testing.T) {
			b := registrationOf("0005 0000 0050 0000" + padded + "0001 0008 c0000201" + "0008 0008 00000001")
			b[nestedOffset+3] = byte(len(b) - nestedOffset - 8)
			want := &wire.Registration{Pool: "web", Element: exampleElement()}
			checkUnrecognized(t, b, nestedOffset+8, unhexed(c.param), c.goesOn, c.report, want)
		})
	}
}

func checkUnrecognized(t *testing.T, b []byte, offset int, param []byte, goesOn, report bool, want wire.Message) {
	t.Helper()
	m, err := wire.ParseASAP(b)
	if goesOn && !reflect.DeepEqual(m, want) || !goesOn && m != nil {
		t.Errorf("got %+v", m)
	}
	if goesOn && !report {
		if err != nil {
			t.Errorf("got %v", err)
		}
		return
	}
	e := asError(t, err)
	if e.Cause != wire.CauseUnrecognizedParameter || e.Offset != offset || e.Report != report || !bytes.Equal(e.Param, param) {
		t.Errorf("got cause %v, offset %d, report %v, parameter %x", e.Cause, e.Offset, e.Report, e.Param)
	}
}

func TestUnrecognizedParameterOfError(t *testing.T) {
	const cause = "000c 0008 0009 0004"
	want := &wire.ErrorMessage{Causes: []wire.ErrorCause{{Code: wire.CauseUnknownPoolHandle}}}
	checkUnrecognized(t, unhexed("0e 00 0010 4001 0004"+cause), 4, unhexed("4001 0004"), false, true, nil)
	checkUnrecognized(t, unhexed("0e 00 0010 0011 0004"+cause), 4, unhexed("0011 0004"), false, false, nil)
	checkUnrecognized(t, unhexed("0e 00 0010 c001 0004"+cause), 4, unhexed("c001 0004"), true, true, want)
}

// RFC 5354 section 4: the two highest bits of an unrecognized message's type.
func TestUnrecognizedMessage(t *testing.T) {
	cases := []struct {
		hex    string
		report bool
	}{
		{"00 00 0004", false},
		{"0f 00 0004", false},
		{"3f 00 0004", false},
		{"40 00 0004", true},
		{"7f ff 0006 abcd 0000", true},
		{"80 00 0004", false},
		{"bf 00 0004", false},
		{"c0 00 0004", false},
		{"ff 00 0004", false},
	}
	for _, c := range cases {
		b := unhexed(c.hex)
		m, err := wire.ParseASAP(b)
		if m != nil || err == nil {
			t.Fatalf("%s: got %+v, %v", c.hex, m, err)
		}
		e, stated := asError(t, err), b[:b[3]]
		if e.Cause != wire.CauseUnrecognizedMessage || e.Offset != 0 || e.Report != c.report || !bytes.Equal(e.Param, stated) {
			t.Errorf("%s: got cause %v, offset %d, report %v, parameter %x", c.hex, e.Cause, e.Offset, e.Report, e.Param)
		}
	}
}

// RFC 5354 3.12.2: "If a message contains multiple unrecognized parameters, multiple error causes are used."
func TestSeveralUnrecognizedParameters(t *testing.T) {
	const handle = "0009 0007 776562 00"
	first := wire.ErrorCause{Code: wire.CauseUnrecognizedParameter, Info: unhexed("c001 0004")}
	second := wire.ErrorCause{Code: wire.CauseUnrecognizedParameter, Info: unhexed("c002 0005 aa")}
	last := wire.ErrorCause{Code: wire.CauseUnrecognizedParameter, Info: unhexed("4001 0004")}
	invalid := wire.ErrorCause{Code: wire.CauseInvalidValues, Info: unhexed("0009 0004")}
	cases := []struct {
		name, hex string
		goesOn    bool
		want      []wire.ErrorCause
	}{
		{"skipped both", "05 00 0018 c001 0004 c002 0005 aa 000000" + handle, true, []wire.ErrorCause{first, second}},
		{"skipped, then stopped", "05 00 0010 c001 0004 4001 0004 c002 0004", false, []wire.ErrorCause{last, first}},
		{"skipped, then invalid", "05 00 000c c001 0004 0009 0004", false, []wire.ErrorCause{invalid, first}},
		{"skipped, then discarded silently", "05 00 000c c001 0004 0011 0004", false, []wire.ErrorCause{first}},
		{"skipped in an error message, then invalid", "0e 00 000c c001 0004 000c 0004", false, []wire.ErrorCause{first}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m, err := wire.ParseASAP(unhexed(c.hex))
			if (m != nil) != c.goesOn {
				t.Errorf("got %+v", m)
			}
			e := asError(t, err)
			if got := e.ErrorCauses(); !e.Report || !reflect.DeepEqual(got, c.want) || !reflect.DeepEqual(e.ErrorCause(), c.want[0]) {
				t.Errorf("got %v %x, report %v; want %x", e, got, e.Report, c.want)
			}
		})
	}
}

// Whatever a message holds, the report about it is itself a message that can be sent.
func TestReportFitsOneMessage(t *testing.T) {
	long := func(typ, n uint16) []byte {
		return append(binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, typ), n), make([]byte, n-4)...)
	}
	many := bytes.Repeat(unhexed("c001 0004"), 16000)
	cases := []struct {
		name   string
		body   []byte
		causes int
	}{
		{"one parameter too long to be reported whole", long(0x4001, 65531), 1},
		{"more parameters than are reported", many, 16 + 1}, // and the missing pool handle
		{"parameters that fit only without what reporting adds", append(long(0xc001, 32764), long(0xc002, 32764)...), 1},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := append([]byte{5, 0, 0, 0}, c.body...)
			binary.BigEndian.PutUint16(b[2:], uint16(len(b)))
			_, err := wire.ParseASAP(b)
			causes := asError(t, err).ErrorCauses()
			if len(causes) != c.causes {
				t.Errorf("got %d causes", len(causes))
			}
			if _, err := wire.AppendASAP(nil, &wire.ErrorMessage{Causes: causes}); err != nil {
				t.Error(err)
			}
			if _, err := wire.AppendENRP(nil, &wire.ENRPErrorMessage{Causes: causes}); err != nil {
				t.Error(err)
			}
		})
	}
}
