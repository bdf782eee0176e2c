// SPDX-License-Identifier: Apache-2.0

package sctp

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strconv"

	lib "github.com/ishidawataru/sctp"
	"golang.org/x/sys/unix"
)

// sockaddr lengths, by family.
const (
	inet4Len = unix.SizeofSockaddrInet4
	inet6Len = unix.SizeofSockaddrInet6
)

// pack lays addresses out as bindx and connectx take them (RFC 6458 9.1).
func pack(addrs []netip.Addr, port uint16) []byte {
	a := lib.SCTPAddr{Port: int(port)}
	for _, addr := range addrs {
		a.IPAddrs = append(a.IPAddrs, net.IPAddr{IP: addr.AsSlice(), Zone: addr.Zone()})
	}
	return a.ToRawSockAddrBuf()
}

// unpack reads n socket addresses, IPv4 as IPv4 also from a socket for both. The
// library takes all for of the first one's family, which a socket for both breaks.
func unpack(b []byte, n int) ([]netip.AddrPort, error) {
	var addrs []netip.AddrPort
	for range n {
		if len(b) < 2 {
			return nil, errShort
		}
		family, size := binary.NativeEndian.Uint16(b), inet4Len
		if family == unix.AF_INET6 {
			size = inet6Len
		}
		if family != unix.AF_INET && family != unix.AF_INET6 || len(b) < size {
			return nil, fmt.Errorf("%w: family %d in %d bytes", errShort, family, len(b))
		}
		addrs = append(addrs, unpackOne(b[:size]))
		b = b[size:]
	}
	return addrs, nil
}

func unpackOne(b []byte) netip.AddrPort {
	port := binary.BigEndian.Uint16(b[2:])
	if len(b) == inet4Len {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), port)
	}
	addr := netip.AddrFrom16([16]byte(b[8:24])).Unmap()
	// The kernel names the interface of every address, even of the loopback one.
	if scope := binary.NativeEndian.Uint32(b[24:]); scope != 0 && addr.IsLinkLocalUnicast() {
		addr = addr.WithZone(zone(scope))
	}
	return netip.AddrPortFrom(addr, port)
}

// zone names an interface as netip does, by its number when it has no name.
func zone(index uint32) string {
	if i, err := net.InterfaceByIndex(int(index)); err == nil {
		return i.Name
	}
	return strconv.Itoa(int(index))
}

// family is IPv4's only when all addresses are: an IPv6 socket serves both.
func family(addrs ...[]netip.Addr) int {
	for _, list := range addrs {
		for _, a := range list {
			if !a.Is4() {
				return unix.AF_INET6
			}
		}
	}
	return unix.AF_INET
}

// netAddr is addrs as the standard library's interfaces have them.
func netAddr(addrs []netip.AddrPort) net.Addr {
	a := &lib.SCTPAddr{}
	for _, addr := range addrs {
		a.IPAddrs = append(a.IPAddrs, net.IPAddr{IP: addr.Addr().AsSlice(), Zone: addr.Addr().Zone()})
		a.Port = int(addr.Port())
	}
	return a
}

// fromSockaddr is what accept(2) says of the peer.
func fromSockaddr(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), uint16(sa.Port))
	}
	return netip.AddrPort{}
}
