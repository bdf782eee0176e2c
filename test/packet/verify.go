// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Verify checks what a receiver of an IP frame checks: that the headers are
// whole, that lengths agree with the frame's (which may be padded), and the
// checksums of IPv4 and of the transport. A fragment's transport is not
// checked; a packet in a tunnel is, too. Several faults give several errors, joined.
func Verify(frame []byte) error {
	v, err := split(frame)
	if err != nil {
		return err
	}
	var errs []error
	if !v.is6() && Checksum(v.header, 0) != 0 {
		errs = append(errs, fmt.Errorf("IP checksum %04x: want %04x",
			binary.BigEndian.Uint16(v.header[10:]), expected(v.header, 10, 0)))
	}
	if v.isWhole() {
		errs = append(errs, v.verifyTransport())
	}
	return errors.Join(errs...)
}

func (v *view) verifyTransport() error {
	if err := v.verifyLengths(); err != nil {
		return err
	}
	err := v.verifyChecksum()
	if inner := v.inner(); inner != nil {
		if fault := Verify(inner); fault != nil {
			err = errors.Join(err, fmt.Errorf("inside: %w", fault))
		}
	}
	return err
}

// leastHeader is how many bytes a protocol's header has at least.
func leastHeader(protocol uint8) int {
	return map[uint8]int{TCP: 20, UDP: 8, UDPLite: 8, DCCP: 12, ICMP: 8, ICMPv6: 8, SCTP: 12}[protocol]
}

func (v *view) verifyLengths() error {
	transport := v.transport
	if least := leastHeader(v.protocol); len(transport) < least {
		return fmt.Errorf("%d bytes for a header of at least %d (protocol %d)", len(transport), least, v.protocol)
	}
	switch v.protocol {
	case TCP:
		if size := int(transport[12]>>4) * 4; size < 20 || size > len(transport) {
			return fmt.Errorf("TCP header of %d bytes in a segment of %d", size, len(transport))
		}
	case UDP:
		if size := int(binary.BigEndian.Uint16(transport[4:])); size != len(transport) {
			return fmt.Errorf("UDP length %d in a packet with %d", size, len(transport))
		}
	case UDPLite:
		if n := int(binary.BigEndian.Uint16(transport[4:])); n != 0 && (n < 8 || n > len(transport)) {
			return fmt.Errorf("UDP-Lite coverage of %d bytes in a packet with %d", n, len(transport))
		}
	case DCCP:
		return verifyDCCP(transport)
	}
	return nil
}

func verifyDCCP(transport []byte) error {
	size, least := int(transport[4])*4, dccpGeneric(transport)
	if size < least || size > len(transport) {
		return fmt.Errorf("DCCP header of %d bytes in a packet with %d", size, len(transport))
	}
	if transport[5]&15 > 1 && size+(int(transport[5]&15)-1)*4 > len(transport) {
		return fmt.Errorf("DCCP coverage of %d in a packet with %d bytes of data", transport[5]&15, len(transport)-size)
	}
	return nil
}

// dccpGeneric is the size of a DCCP packet's generic header: by its bit X (RFC 4340 5.1).
func dccpGeneric(transport []byte) int {
	if transport[8]&1 != 0 {
		return 16
	}
	return 12
}
