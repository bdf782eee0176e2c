// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// Verify checks what a receiver of an IPv4 frame checks: that the headers are
// whole, that lengths agree with the frame's (which may be padded), and the
// checksums of IPv4, TCP, UDP, ICMP and SCTP. A fragment's transport is not
// checked. Several faults give several errors, joined.
func Verify(frame []byte) error {
	packet, header, err := splitIP(frame)
	if err != nil {
		return err
	}
	var errs []error
	if sum := Checksum(header, 0); sum != 0 {
		errs = append(errs, fmt.Errorf("IP checksum %04x: want %04x",
			binary.BigEndian.Uint16(header[10:]), expected(header, 10, 0)))
	}
	if binary.BigEndian.Uint16(header[6:])&0x3fff == 0 { // no more fragments, offset 0
		errs = append(errs, verifyTransport(header, packet[len(header):]))
	}
	return errors.Join(errs...)
}

// splitIP gives an IPv4 packet without the frame's padding, and its header.
func splitIP(frame []byte) (packet, header []byte, err error) {
	if len(frame) < OffsetIP+20 {
		return nil, nil, fmt.Errorf("frame of %d bytes: no room for an IPv4 header", len(frame))
	}
	if kind := binary.BigEndian.Uint16(frame[12:]); kind != 0x0800 {
		return nil, nil, fmt.Errorf("ethernet type %04x: not IPv4", kind)
	}
	packet = frame[OffsetIP:]
	size, total := headerLen(packet[0]), int(binary.BigEndian.Uint16(packet[2:]))
	switch {
	case packet[0]>>4 != 4:
		return nil, nil, fmt.Errorf("IP version %d", packet[0]>>4)
	case size < 20 || size > total:
		return nil, nil, fmt.Errorf("IP header of %d bytes in a packet of %d", size, total)
	case total > len(packet):
		return nil, nil, fmt.Errorf("IP length %d in a frame with room for %d", total, len(packet))
	}
	return packet[:total], packet[:size], nil
}

func verifyTransport(header, transport []byte) error {
	if err := verifyLengths(header[9], transport); err != nil {
		return err
	}
	return verifyChecksum(header, transport)
}

func verifyLengths(protocol uint8, transport []byte) error {
	least := map[uint8]int{TCP: 20, UDP: 8, ICMP: 8, SCTP: 12}[protocol]
	if len(transport) < least {
		return fmt.Errorf("%d bytes for a header of at least %d (protocol %d)", len(transport), least, protocol)
	}
	switch protocol {
	case TCP:
		if size := int(transport[12]>>4) * 4; size < 20 || size > len(transport) {
			return fmt.Errorf("TCP header of %d bytes in a segment of %d", size, len(transport))
		}
	case UDP:
		if size := int(binary.BigEndian.Uint16(transport[4:])); size != len(transport) {
			return fmt.Errorf("UDP length %d in a packet with %d", size, len(transport))
		}
	}
	return nil
}

// verifyChecksum needs lengths that are right.
func verifyChecksum(header, transport []byte) error {
	switch header[9] {
	case TCP:
		return verifySum("TCP", transport, 16, pseudoSum(header, len(transport)))
	case UDP:
		if binary.BigEndian.Uint16(transport[6:]) == 0 { // RFC 768: no checksum
			return nil
		}
		return verifySum("UDP", transport, 6, pseudoSum(header, len(transport)))
	case ICMP:
		return verifySum("ICMP", transport, 2, 0)
	case SCTP:
		return verifyCRC(transport)
	default:
		return nil
	}
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

// pseudoSum is the sum over the pseudo header of TCP and UDP (RFC 9293 3.1).
func pseudoSum(header []byte, length int) uint32 {
	pseudo := make([]byte, 12)
	copy(pseudo, header[12:20])
	pseudo[9] = header[9]
	binary.BigEndian.PutUint16(pseudo[10:], uint16(length))
	return sum16(pseudo, 0)
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
