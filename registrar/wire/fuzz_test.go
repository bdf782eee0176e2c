// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"bytes"
	"reflect"
	"testing"

	"github.com/weir-lb/weir/registrar/wire"
)

// maxGrowth bounds what a message occupies for each byte that it came in: the worst are causes of 4 bytes that become
// 32, in a slice that grew to somewhat more than what it holds. minSize is for a message's and an error's fixed fields.
const maxGrowth, minSize = 24, 1024

func FuzzParseASAP(f *testing.F) {
	for _, c := range messageCases() {
		f.Add(unhexed(c.hex))
	}
	for _, c := range readCapture(f, goldenCapture) {
		f.Add(c.b)
	}
	for _, s := range []string{
		"40 00 0008 01020304", "05 00 0010 c001 0004 4001 0004 c002 0004", "02 00 0004", "0e 00 0008 000c 0004",
		"05 00 0018 c001 0004 c002 0005 aa 000000 0009 0007 776562 00", "05 00 000c 0009 0003 77656200",
	} {
		f.Add(unhexed(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		checkParse(t, b, wire.ParseASAP, wire.AppendASAP)
	})
}

func FuzzParseENRP(f *testing.F) {
	for _, c := range enrpCases() {
		f.Add(unhexed(c.hex))
	}
	for _, c := range readCapture(f, peersCapture) {
		f.Add(c.b)
	}
	for _, s := range []string{
		"40 00 0008 01020304", "02 00 001c 0a0b0c0d 01020304 c001 0004 4001 0004 c002 0004 8001 0004",
		"03 03 000c 0a0b0c0d 01020304", "03 00 0014 0a0b0c0d 01020304 0009 0007 776562 00",
	} {
		f.Add(unhexed(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		checkParse(t, b, wire.ParseENRP, wire.AppendENRP)
	})
}

// checkParse is what both protocols' parsers promise of any bytes.
func checkParse[M comparable](t *testing.T, b []byte, parse func([]byte) (M, error), appendTo func([]byte, M) ([]byte, error)) {
	var none M
	m, err := parse(b)
	if err != nil {
		checkError(t, asError(t, err), len(b))
	}
	if m == none && err == nil {
		t.Fatal("neither a message nor an error")
	}
	if m == none {
		return
	}
	if err != nil && !asError(t, err).Report {
		t.Fatalf("a message, and not to be reported: %v", err)
	}
	checkRoundTrip(t, m, len(b), parse, appendTo)
}

func checkError(t *testing.T, e *wire.Error, n int) {
	switch e.Cause {
	case wire.CauseUnrecognizedParameter, wire.CauseUnrecognizedMessage, wire.CauseInvalidValues:
	default:
		t.Fatalf("cause %v", e.Cause)
	}
	if e.Offset < 0 || e.Offset+len(e.Param) > n {
		t.Fatalf("offset %d and parameter of %d bytes in %d", e.Offset, len(e.Param), n)
	}
	causes := e.ErrorCauses()
	if size := sizeOf(reflect.ValueOf(causes)); size > maxGrowth*n+minSize {
		t.Fatalf("causes of %d bytes from %d", size, n)
	}
	if _, err := wire.AppendENRP(nil, &wire.ENRPErrorMessage{Causes: causes}); err != nil { // the smaller one
		t.Fatal(err)
	}
}

func checkRoundTrip[M any](t *testing.T, m M, n int, parse func([]byte) (M, error), appendTo func([]byte, M) ([]byte, error)) {
	if size := sizeOf(reflect.ValueOf(m)); size > maxGrowth*n+minSize {
		t.Fatalf("message of %d bytes from %d", size, n)
	}
	b, err := appendTo(nil, m)
	if err != nil {
		t.Fatalf("%+v: %v", m, err)
	}
	again, err := parse(b)
	if err != nil || !reflect.DeepEqual(m, again) {
		t.Fatalf("%+v became %x, and that %+v, %v", m, b, again, err)
	}
	if b2, err := appendTo(nil, again); err != nil || !bytes.Equal(b, b2) {
		t.Fatalf("%x became %x, %v", b, b2, err)
	}
}

// sizeOf is about how many bytes v and all that it refers to occupy.
func sizeOf(v reflect.Value) int {
	n := int(v.Type().Size())
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			n += sizeOf(v.Elem())
		}
	case reflect.String:
		n += v.Len()
	case reflect.Slice:
		n += v.Cap() * int(v.Type().Elem().Size())
		for i := range v.Len() {
			n += sizeOf(v.Index(i)) - int(v.Type().Elem().Size())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			n += sizeOf(v.Field(i)) - int(v.Field(i).Type().Size())
		}
	}
	return n
}
