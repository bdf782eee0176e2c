// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"bytes"
	"encoding/hex"
	"reflect"
	"strings"
	"testing"

	"github.com/gopacket/gopacket/layers"
)

const (
	client = "10.0.9.1:40000"
	vip    = "10.0.100.1:80"
)

// known are frames that were written down by hand from the RFCs, their checksums
// worked out by another program.
func known() map[string]knownFrame {
	segment := NewTCP(client, vip, ACK|PSH)
	segment.ID, segment.Seq, segment.Ack, segment.Payload = 0x1234, 0x01020304, 0x05060708, []byte("GET")
	segment.Window = 64240
	datagram := NewUDP(client, "10.0.100.1:53", []byte("abc"))
	datagram.ID = 0x1234
	echo := NewICMP("10.0.9.1", "10.0.100.1", 8, 0)
	echo.ID, echo.ICMPRest, echo.Payload = 0x1234, [4]byte{0, 7, 0, 9}, []byte("ping")
	ack := New(SCTP, client, "10.0.100.1:3863")
	ack.ID, ack.VerificationTag, ack.Payload = 0x1234, 0xdeadbeef, []byte{11, 0, 0, 4}
	ack.Window = 0
	return map[string]knownFrame{
		"TCP":  {segment, "02000000000202000000000108004500002b123440004006a7970a0009010a0064019c40005001020304050607085018faf0ebec0000474554"},
		"UDP":  {datagram, "02000000000202000000000108004500001f123440004011a7980a0009010a0064019c400035000b1dfe616263"},
		"ICMP": {echo, "020000000002020000000001080045000020123440004001a7a70a0009010a0064010800191f0007000970696e67"},
		"SCTP": {ack, "020000000002020000000001080045000024123440004084a7200a0009010a0064019c400f17deadbeef121c60ac0b000004"},
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestKnownFrames(t *testing.T) {
	for name, k := range allKnown() {
		t.Run(name, func(t *testing.T) {
			frame := unhex(t, k.frame)
			if got := k.packet.Frame(); !bytes.Equal(got, frame) {
				t.Errorf("built:\n%x, want\n%x", got, frame)
			}
			if err := Verify(frame); err != nil {
				t.Errorf("verify: %v", err)
			}
			checkDecoded(t, frame, k.packet)
		})
	}
}

// checkDecoded compares what a frame of the packet's protocol can hold.
func checkDecoded(t *testing.T, frame []byte, want Packet) {
	t.Helper()
	got, err := Decode(frame)
	if err != nil {
		t.Fatal(err)
	}
	if want.Protocol != TCP {
		want.Window = 0
	}
	if !reflect.DeepEqual(got.fields(), want.fields()) {
		t.Errorf("decoded %+v, want %+v", got, want)
	}
}

func TestOptionsAndFaults(t *testing.T) {
	segment := known()["TCP"].packet
	alert := layers.IPv4Option{OptionType: 148, OptionLength: 4, OptionData: []byte{0, 0}}
	mss := layers.TCPOption{OptionType: layers.TCPOptionKindMSS, OptionLength: 4, OptionData: []byte{5, 0xb4}}
	datagram := known()["UDP"].packet
	for _, tt := range []struct {
		name   string
		packet func() Packet
		want   string // of Verify
	}{
		{"IP options", func() Packet { p := segment; p.IPOptions = []layers.IPv4Option{alert}; return p }, ""},
		{"TCP options", func() Packet { p := segment; p.TCPOptions = []layers.TCPOption{mss}; return p }, ""},
		{"odd fields", func() Packet {
			p := segment
			p.TOS, p.TTL, p.Flags, p.Urgent = 0xb8, 1, FIN|SYN|RST|PSH|ACK|URG|ECE|CWR, 77
			return p
		}, ""},
		{"reply", segment.Reply, ""},
		{"no UDP checksum", func() Packet { p := datagram; p.NoUDPChecksum = true; return p }, ""},
		{"bad IP checksum", func() Packet { p := segment; p.BadIPChecksum = true; return p },
			"IP checksum a697: want a797"},
		{"bad TCP checksum", func() Packet { p := segment; p.BadChecksum = true; return p },
			"TCP checksum eaec: want ebec"},
		{"bad UDP checksum", func() Packet { p := datagram; p.BadChecksum = true; return p },
			"UDP checksum 1cfe: want 1dfe"},
		{"bad ICMP checksum", func() Packet { p := known()["ICMP"].packet; p.BadChecksum = true; return p },
			"ICMP checksum 181f: want 191f"},
		{"bad SCTP checksum", func() Packet { p := known()["SCTP"].packet; p.BadChecksum = true; return p },
			"SCTP checksum ac601c13: want ac601c12"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			frame := tt.packet().Frame()
			if got := text(Verify(frame)); got != tt.want {
				t.Errorf("verify: %q, want %q", got, tt.want)
			}
			checkDecoded(t, frame, tt.packet())
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestVerifyRefusesBadLengths(t *testing.T) {
	tcp, udp := unhex(t, known()["TCP"].frame), unhex(t, known()["UDP"].frame)
	set := func(frame []byte, at int, value byte) []byte {
		frame = bytes.Clone(frame)
		frame[at] = value
		return frame
	}
	for _, tt := range []struct {
		name  string
		frame []byte
		want  string
	}{
		{"no room", tcp[:33], "no room"},
		{"another type", set(tcp, 13, 6), "ethernet type 0806"},
		{"version", set(tcp, 14, 0x65), "IP version 6"},
		{"short header", set(tcp, 14, 0x44), "IP header of 16 bytes"},
		{"header over length", set(tcp, 17, 19), "IP header of 20 bytes in a packet of 19"},
		{"cut off", tcp[:len(tcp)-1], "IP length 43 in a frame with room for 42"},
		{"no TCP header", set(tcp, 17, 39), "19 bytes for a header of at least 20"},
		{"TCP header too long", set(tcp, 46, 0x60), "TCP header of 24 bytes in a segment of 23"},
		{"TCP header too short", set(tcp, 46, 0x40), "TCP header of 16 bytes"},
		{"UDP length", set(udp, 39, 12), "UDP length 12 in a packet with 11"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := text(Verify(tt.frame)); !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if _, err := Decode(tt.frame); err == nil {
				t.Error("decoded")
			}
		})
	}
}

func TestTruncatedAtEveryLength(t *testing.T) {
	for name, k := range allKnown() {
		frame := unhex(t, k.frame)
		for length := range len(frame) {
			if Verify(frame[:length]) == nil {
				t.Errorf("%s frame of %d bytes, cut off at %d, passes", name, len(frame), length)
			}
		}
		if err := Verify(append(frame, make([]byte, 20)...)); err != nil {
			t.Errorf("%s frame with padding: %v", name, err)
		}
	}
}

func TestFragments(t *testing.T) {
	first, later := known()["TCP"].packet, known()["TCP"].packet
	first.DontFragment, first.MoreFragments = false, true
	later.DontFragment, later.FragmentOffset, later.Payload = false, 3, []byte("rest")
	for name, p := range map[string]Packet{"first": first, "later": later} {
		if err := Verify(p.Frame()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	got, err := Decode(later.Frame())
	if err != nil || string(got.Payload) != "rest" || got.FragmentOffset != 3 {
		t.Errorf("later fragment: %+v, %v", got, err)
	}
	if got, want := later.Frame()[20:22], []byte{0, 3}; !bytes.Equal(got, want) {
		t.Errorf("flags and offset %x, want %x", got, want)
	}
	if got, want := first.Frame()[20:22], []byte{0x20, 0}; !bytes.Equal(got, want) {
		t.Errorf("flags and offset %x, want %x", got, want)
	}
}

// RFC 1071 3: the example of the sum of 0001 f203 f4f5 f6f7.
func TestChecksum(t *testing.T) {
	if got := Checksum([]byte{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7}, 0); got != ^uint16(0xddf2) {
		t.Errorf("got %04x, want %04x", got, ^uint16(0xddf2))
	}
}

func TestDiff(t *testing.T) {
	sent := known()["TCP"].packet
	changed := sent
	changed.TTL, changed.Flags = 63, ACK|RST
	broken := sent
	broken.BadChecksum = true
	frame := sent.Frame()
	for _, tt := range []struct {
		name string
		got  []byte
		want string
	}{
		{"equal", sent.Frame(), ""},
		{"fields", changed.Frame(), "TTL: want 64, got 63\nflags: want PSH|ACK, got RST|ACK"},
		{"checksum", broken.Frame(), "bad checksum: want false, got true\ngot has: TCP checksum eaec: want ebec"},
		{"padding", append(sent.Frame(), 0), "length: want 57, got 58 bytes"},
		{"cut", frame[:20], "length: want 57, got 20 bytes\ngot has: frame of 20 bytes: no room for an IPv4 header"},
		{"reserved bits", reserved(frame), "byte 46: want 50, got 52\nbyte 50: want eb, got e9"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := Diff(frame, tt.got); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

// reserved sets a bit that a Packet has no field for, with the checksum that fits.
func reserved(frame []byte) []byte {
	frame = bytes.Clone(frame)
	frame[OffsetTransport+12] |= 2
	frame[OffsetTransport+16] -= 2
	return frame
}

func TestFlags(t *testing.T) {
	for f, want := range map[Flags]string{0: "none", SYN | ACK: "SYN|ACK", CWR: "CWR"} {
		if f.String() != want {
			t.Errorf("got %s, want %s", f, want)
		}
	}
	if got := NewTCP(client, vip, SYN|ECE).Frame()[47]; got != 0x42 {
		t.Errorf("flags on the wire: %02x, want 42", got)
	}
}
