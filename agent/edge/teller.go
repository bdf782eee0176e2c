// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"

	"golang.org/x/sys/unix"

	"github.com/weir-lb/weir/maps"
)

// teller makes clients speak whose element is lost, in the name of the VIP: one that waits for data
// sends nothing, and so hears nothing from the XDP program. A segment that is not acceptable must be
// answered with an acknowledgement (RFC 9293 3.10.7.4), as those of keep-alive are; the program answers
// that with a RST, whose number the client's acknowledgement has told. It needs CAP_NET_RAW to open.
type teller struct {
	v4, v6 int // raw sockets
}

func newTeller() (*teller, error) {
	v4, err := rawSocket(unix.AF_INET)
	if err != nil {
		return nil, err
	}
	v6, err := rawSocket(unix.AF_INET6)
	if errors.Is(err, unix.EAFNOSUPPORT) { // booted with ipv6.disable=1: then no client has it
		return &teller{v4: v4, v6: -1}, nil
	}
	if err != nil {
		return nil, errors.Join(err, unix.Close(v4))
	}
	return &teller{v4: v4, v6: v6}, nil
}

func rawSocket(family int) (int, error) {
	fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_RAW)
	if errors.Is(err, unix.EPERM) {
		return -1, errors.New("open a raw socket: not permitted: run as root, or with CAP_NET_RAW")
	}
	if err != nil {
		return -1, fmt.Errorf("open a raw socket: %w", err)
	}
	return fd, nil
}

func (t *teller) Close() error {
	if t.v6 < 0 {
		return unix.Close(t.v4)
	}
	return errors.Join(unix.Close(t.v4), unix.Close(t.v6))
}

// ask sends to the flows' clients and returns how many it could send to.
func (t *teller) ask(flows []maps.Flow) (sent int, err error) {
	for _, f := range flows {
		if e := t.send(f); e != nil {
			err = fmt.Errorf("tell %s that its element is lost: %w", f.Client, e)
			continue
		}
		sent++
	}
	return sent, err
}

func (t *teller) send(f maps.Flow) error {
	// By chance, once in 2^32 divided by its window, a client finds the number acceptable and does not
	// answer; it is asked again, with another one.
	segment := probeSegment(f, rand.Uint32())
	if f.Client.Addr().Is4() {
		return unix.Sendto(t.v4, segment, 0, &unix.SockaddrInet4{Addr: f.Client.Addr().As4()})
	}
	return unix.Sendto(t.v6, segment, 0, &unix.SockaddrInet6{Addr: f.Client.Addr().As16()})
}

const (
	ipHeaderLen  = 20
	ip6HeaderLen = 40
	tcpHeaderLen = 20
	probeTTL     = 64
	dontFragment = 0x40
	flagACK      = 0x10
)

// probeSegment is a packet with a bare ACK from the flow's VIP to its client.
func probeSegment(f maps.Flow, seq uint32) []byte {
	tcp := make([]byte, tcpHeaderLen)
	binary.BigEndian.PutUint16(tcp[0:], f.VIP.Port())
	binary.BigEndian.PutUint16(tcp[2:], f.Client.Port())
	binary.BigEndian.PutUint32(tcp[4:], seq)
	tcp[12] = tcpHeaderLen / 4 << 4
	tcp[13] = flagACK
	src, dst := f.VIP.Addr().AsSlice(), f.Client.Addr().AsSlice()
	pseudo := sum(sum(unix.IPPROTO_TCP+tcpHeaderLen, src), dst)
	binary.BigEndian.PutUint16(tcp[16:], checksum(pseudo, tcp))
	return append(ipHeader(src, dst), tcp...)
}

// ipHeader is that of a bare TCP segment, by the family of the addresses.
func ipHeader(src, dst []byte) []byte {
	if len(src) == 16 {
		ip := make([]byte, 8, ip6HeaderLen+tcpHeaderLen)
		ip[0] = 6 << 4
		binary.BigEndian.PutUint16(ip[4:], tcpHeaderLen)
		ip[6], ip[7] = unix.IPPROTO_TCP, probeTTL
		return append(append(ip, src...), dst...)
	}
	ip := make([]byte, 12, ipHeaderLen+tcpHeaderLen)
	ip[0] = 4<<4 | ipHeaderLen/4
	binary.BigEndian.PutUint16(ip[2:], ipHeaderLen+tcpHeaderLen)
	ip[6] = dontFragment
	ip[8], ip[9] = probeTTL, unix.IPPROTO_TCP
	ip = append(append(ip, src...), dst...)
	binary.BigEndian.PutUint16(ip[10:], checksum(0, ip))
	return ip
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
