// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"net/netip"
)

// verifyChecksum needs lengths that are right.
func (v *view) verifyChecksum() error {
	pseudo := pseudoSum(v.src, v.dst, v.protocol, len(v.transport))
	switch v.protocol {
	case TCP:
		return verifySum("TCP", v.transport, 16, pseudo)
	case UDP:
		return v.verifyUDP(pseudo)
	case UDPLite:
		if binary.BigEndian.Uint16(v.transport[6:]) == 0 { // RFC 3828 3.1: must not be
			return fmt.Errorf("UDP-Lite without a checksum")
		}
		return verifySum("UDP-Lite", v.transport[:udpLiteCovered(v.transport, len(v.transport))], 6, pseudo)
	case DCCP:
		return verifySum("DCCP", v.transport[:dccpCovered(v.transport, len(v.transport))], 6, pseudo)
	case ICMP:
		return verifySum("ICMP", v.transport, 2, 0)
	case ICMPv6:
		return verifySum("ICMPv6", v.transport, 2, pseudo)
	case SCTP:
		return verifyCRC(v.transport)
	default:
		return nil
	}
}

// verifyUDP: no checksum is none in IPv4 (RFC 768), and a fault in IPv6 (RFC 8200 8.1) but for tunnels
// (RFC 6935).
func (v *view) verifyUDP(pseudo uint32) error {
	if binary.BigEndian.Uint16(v.transport[6:]) != 0 {
		return verifySum("UDP", v.transport, 6, pseudo)
	}
	if v.is6() && !v.isGUE() {
		return fmt.Errorf("UDP over IPv6 without a checksum")
	}
	return nil
}

func verifySum(name string, b []byte, at int, initial uint32) error {
	if Checksum(b, initial) == 0 {
		return nil
	}
	return fmt.Errorf("%s checksum %04x: want %04x", name, binary.BigEndian.Uint16(b[at:]), expected(b, at, initial))
}

// verifyCRC is RFC 9260 appendix A: a CRC32c with the field itself as zero, its
// low byte first.
func verifyCRC(packet []byte) error {
	zeroed := append([]byte(nil), packet...)
	clear(zeroed[8:12])
	want := crc32.Checksum(zeroed, crc32.MakeTable(crc32.Castagnoli))
	if got := binary.LittleEndian.Uint32(packet[8:]); got != want {
		return fmt.Errorf("SCTP checksum %08x: want %08x", got, want)
	}
	return nil
}

// expected is what the two bytes at a place would have to be.
func expected(b []byte, at int, initial uint32) uint16 {
	zeroed := append([]byte(nil), b...)
	clear(zeroed[at : at+2])
	return Checksum(zeroed, initial)
}

// pseudoSum is the sum over the pseudo header of TCP and of whatever has the same (RFC 9293 3.1,
// RFC 8200 8.1); length is of all that follows the IP headers.
func pseudoSum(src, dst netip.Addr, protocol uint8, length int) uint32 {
	pseudo := append(src.AsSlice(), dst.AsSlice()...)
	pseudo = binary.BigEndian.AppendUint32(pseudo, uint32(length))
	return sum16(append(pseudo, 0, 0, 0, protocol), 0)
}

// Checksum is the Internet checksum of b (RFC 1071), begun with an unfolded sum
// of 16-bit words. Over bytes that hold their own good checksum it is 0.
func Checksum(b []byte, initial uint32) uint16 {
	sum := sum16(b, initial)
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// sum16 does not overflow: no packet has more than 2^15 words of 16 bits.
func sum16(b []byte, sum uint32) uint32 {
	for ; len(b) >= 2; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	return sum
}
