// SPDX-License-Identifier: Apache-2.0

package sctp

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"slices"
	"testing"

	lib "github.com/ishidawataru/sctp"
	"golang.org/x/sys/unix"
)

// control lays out one piece of ancillary data by hand, for 64 bits.
func control(level, typ uint32, data []byte) []byte {
	b := binary.NativeEndian.AppendUint64(nil, uint64(16+len(data)))
	b = binary.NativeEndian.AppendUint32(b, level)
	b = binary.NativeEndian.AppendUint32(b, typ)
	b = append(b, data...)
	return append(b, make([]byte, -len(data)&7)...)
}

// received is struct sctp_rcvinfo with this identifier as it is on the wire.
func received(ppid ...byte) []byte {
	b := make([]byte, 28)
	copy(b[8:], ppid)
	return b
}

func TestReceivedPPID(t *testing.T) {
	other := control(unix.SOL_SOCKET, unix.SCM_TIMESTAMP, make([]byte, 16))
	for _, tc := range []struct {
		name string
		oob  []byte
		want uint32
		ok   bool
	}{
		{"11", control(132, 3, received(0, 0, 0, 11)), 11, true},
		{"0x01020304", control(132, 3, received(1, 2, 3, 4)), 0x01020304, true},
		{"after another", slices.Concat(other, control(132, 3, received(0, 0, 0, 12))), 12, true},
		{"none", nil, 0, false},
		{"another only", other, 0, false},
		{"of another type", control(132, 1, received(0, 0, 0, 11)), 0, false},
		{"too short", control(132, 3, received(0, 0, 0, 11)[:27]), 0, false},
		{"cut off", control(132, 3, received(0, 0, 0, 11))[:40], 0, false},
	} {
		got, err := receivedPPID(tc.oob)
		if got != tc.want || (err == nil) != tc.ok {
			t.Errorf("%s: %d, %v", tc.name, got, err)
		}
	}
}

func TestSendInfo(t *testing.T) {
	want := control(132, 2, []byte{0, 0, 0, 0, 0, 0, 0, 11, 0, 0, 0, 0, 0, 0, 0, 0})
	if got := sendInfo(11); !bytes.Equal(got, want) {
		t.Errorf("%x, want %x", got, want)
	}
}

// TestStructureSizes has what the kernel's header says with its compiler.
func TestStructureSizes(t *testing.T) {
	for name, size := range map[string][2]int{
		"sctp_rtoinfo":     {len(structure(rtoInfo{})), 16},
		"sctp_assocparams": {len(structure(assocParams{})), 20},
		"sctp_paddrparams": {len(structure(pathParams{})), 156},
	} {
		if size[0] != size[1] {
			t.Errorf("struct %s: %d bytes, want %d", name, size[0], size[1])
		}
	}
}

func TestChanged(t *testing.T) {
	change := func(typ, state uint16) []byte {
		b := make([]byte, 20)
		binary.NativeEndian.PutUint16(b, typ)
		binary.NativeEndian.PutUint32(b[4:], 20)
		binary.NativeEndian.PutUint16(b[8:], state)
		return b
	}
	for _, tc := range []struct {
		name  string
		in    []byte
		state lib.SCTPState
		ok    bool
	}{
		{"up", change(0x8001, 0), lib.SCTP_COMM_UP, true},
		{"lost", change(0x8001, 1), lib.SCTP_COMM_LOST, true},
		{"restart", change(0x8001, 2), lib.SCTP_RESTART, true},
		{"shut down", change(0x8001, 3), lib.SCTP_SHUTDOWN_COMP, true},
		{"of an address", change(0x8002, 2), 0, false},
		{"cut off", change(0x8001, 2)[:9], 0, false},
		{"empty", nil, 0, false},
	} {
		if state, ok := changed(tc.in); state != tc.state || ok != tc.ok {
			t.Errorf("%s: %v, %v", tc.name, state, ok)
		}
	}
}

// TestAddressesOfBothFamilies: the library reads each as of the first one's.
func TestAddressesOfBothFamilies(t *testing.T) {
	addrs := []netip.Addr{
		netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1"),
		netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("fe80::1%lo"),
	}
	b := pack(addrs, 9901)
	if len(b) != 2*16+2*28 {
		t.Fatalf("%d bytes", len(b))
	}
	var want []netip.AddrPort
	for _, a := range addrs {
		want = append(want, netip.AddrPortFrom(a, 9901))
	}
	if got, err := unpack(b, 4); err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	for n := range b {
		if got, err := unpack(b[:n], 4); err == nil {
			t.Errorf("of %d bytes: %v", n, got)
		}
	}
	mapped := pack([]netip.Addr{netip.MustParseAddr("2001:db8::1")}, 1)
	copy(mapped[8:], netip.MustParseAddr("::ffff:192.0.2.1").AsSlice())
	if got, err := unpack(mapped, 1); err != nil || got[0].String() != "192.0.2.1:1" {
		t.Errorf("%v, %v", got, err)
	}
}

// FuzzKernel: whatever a kernel says, nothing is read beyond it.
func FuzzKernel(f *testing.F) {
	f.Add(control(132, 3, received(0, 0, 0, 11)), 1)
	f.Add(pack([]netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}, 1), 2)
	f.Fuzz(func(t *testing.T, b []byte, n int) {
		_, _ = receivedPPID(b)
		_, _ = changed(b)
		addrs, err := unpack(b, min(max(n, 0), maxAddrs))
		if err == nil && len(addrs)*inet4Len > len(b) {
			t.Fatalf("%d addresses in %d bytes", len(addrs), len(b))
		}
	})
}
