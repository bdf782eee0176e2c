// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/weir-lb/weir/maps"
)

// teller sends RSTs to clients whose element is lost, in the name of the VIP: a client that waits
// for data sends nothing, and so hears nothing from the XDP program. It needs CAP_NET_RAW to open.
type teller struct {
	fd int
}

func newTeller() (*teller, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_RAW)
	if errors.Is(err, unix.EPERM) {
		return nil, errors.New("open a raw socket: not permitted: run as root, or with CAP_NET_RAW")
	}
	if err != nil {
		return nil, fmt.Errorf("open a raw socket: %w", err)
	}
	return &teller{fd: fd}, nil
}

func (t *teller) Close() error { return unix.Close(t.fd) }

// reset ends the flows at their clients and returns how many it could send to. The number is the
// client's own last acknowledgement, the only one that it accepts at once (RFC 5961 3.2).
func (t *teller) reset(flows []maps.Flow) (sent int, err error) {
	for _, f := range flows {
		to := unix.SockaddrInet4{Addr: f.Client.Addr().As4()}
		if e := unix.Sendto(t.fd, resetSegment(f), 0, &to); e != nil {
			err = fmt.Errorf("tell %s that its element is lost: %w", f.Client, e)
			continue
		}
		sent++
	}
	return sent, err
}

const (
	ipHeaderLen  = 20
	tcpHeaderLen = 20
	resetTTL     = 64
	dontFragment = 0x40
	flagRST      = 0x04
)

// resetSegment is an IPv4 packet with a bare RST from the flow's VIP to its client.
func resetSegment(f maps.Flow) []byte {
	b := make([]byte, ipHeaderLen+tcpHeaderLen)
	ip, tcp := b[:ipHeaderLen], b[ipHeaderLen:]
	ip[0] = 4<<4 | ipHeaderLen/4
	binary.BigEndian.PutUint16(ip[2:], uint16(len(b)))
	ip[6] = dontFragment
	ip[8], ip[9] = resetTTL, unix.IPPROTO_TCP
	src, dst := f.VIP.Addr().As4(), f.Client.Addr().As4()
	copy(ip[12:], src[:])
	copy(ip[16:], dst[:])
	binary.BigEndian.PutUint16(ip[10:], checksum(0, ip))

	binary.BigEndian.PutUint16(tcp[0:], f.VIP.Port())
	binary.BigEndian.PutUint16(tcp[2:], f.Client.Port())
	binary.BigEndian.PutUint32(tcp[4:], f.ClientAck)
	tcp[12] = tcpHeaderLen / 4 << 4
	tcp[13] = flagRST
	pseudo := sum(unix.IPPROTO_TCP+tcpHeaderLen, ip[12:20])
	binary.BigEndian.PutUint16(tcp[16:], checksum(pseudo, tcp))
	return b
}

// sum adds the 16-bit words of b, an even number of bytes, to start.
func sum(start uint32, b []byte) uint32 {
	for ; len(b) >= 2; b = b[2:] {
		start += uint32(binary.BigEndian.Uint16(b))
	}
	return start
}

// checksum is the Internet checksum (RFC 1071) of b, beginning with the sum start.
func checksum(start uint32, b []byte) uint16 {
	s := sum(start, b)
	for s > 0xffff {
		s = s&0xffff + s>>16
	}
	return ^uint16(s)
}
