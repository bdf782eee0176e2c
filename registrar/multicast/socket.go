// SPDX-License-Identifier: Apache-2.0

package multicast

import (
	"context"
	"net"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// receiver is a socket bound to the group itself, so that it gets nothing that was sent to this host alone.
func receiver(group netip.AddrPort, on int) (*net.UDPConn, error) {
	return open(group, func(fd int) error {
		if group.Addr().Is4() {
			member := unix.IPMreqn{Multiaddr: group.Addr().As4(), Ifindex: int32(on)}
			return first(
				// Without this, a membership of any socket of this host, on any interface, would feed this one.
				unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_ALL, 0),
				unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_ADD_MEMBERSHIP, &member))
		}
		member := unix.IPv6Mreq{Multiaddr: group.Addr().As16(), Interface: uint32(on)}
		return first(
			unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_ALL, 0),
			unix.SetsockoptIPv6Mreq(fd, unix.IPPROTO_IPV6, unix.IPV6_JOIN_GROUP, &member))
	})
}

func sender(cfg Config, on int) (*net.UDPConn, error) {
	source, hops := cfg.Source, max(cfg.HopLimit, 1)
	if !source.IsValid() {
		source = netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
		if cfg.Group.Addr().Is6() {
			source = netip.AddrPortFrom(netip.IPv6Unspecified(), 0)
		}
	}
	return open(source, func(fd int) error {
		if cfg.Group.Addr().Is4() {
			return first(
				unix.SetsockoptIPMreqn(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_IF, &unix.IPMreqn{Ifindex: int32(on)}),
				unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_MULTICAST_TTL, hops))
		}
		return first(
			unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_IF, on),
			unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, hops))
	})
}

// open binds a socket that others may be bound beside: two registrars of one host have the same group, and one that
// comes after another must not wait for it.
func open(at netip.AddrPort, prepare func(fd int) error) (*net.UDPConn, error) {
	network := "udp6"
	if at.Addr().Is4() {
		network = "udp4"
	}
	config := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		var failed error
		err := raw.Control(func(fd uintptr) {
			failed = first(unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1), prepare(int(fd)))
		})
		return first(err, failed)
	}}
	c, err := config.ListenPacket(context.Background(), network, at.String())
	if err != nil {
		return nil, err
	}
	return c.(*net.UDPConn), nil // what these networks listen with
}

func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
