// SPDX-License-Identifier: Apache-2.0

package multicast

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"
)

const (
	// maxDatagram is the longest datagram that is received whole: announcements have a few hundred bytes.
	maxDatagram = 4096
	// writeTimeout is how long a datagram may wait for the interface.
	writeTimeout = 50 * time.Millisecond
)

// Config is what Join needs.
type Config struct {
	Group     netip.AddrPort
	Interface string
	// Source is the address and port that datagrams come from, of Group's family. If it is not valid, the kernel chooses.
	Source netip.AddrPort
	// HopLimit is how many routers a datagram may pass, and one more: 1 is the link alone. 0 means 1.
	HopLimit int
}

// Group is the membership in a group.
type Group struct {
	in, out *net.UDPConn
	group   netip.AddrPort
	buffer  []byte // Receive's
}

// Join becomes a member. What is sent reaches the other members on this host too, and this Group itself: the sidecars of
// this host want the announcements, so that a sender must know its own by what is in them.
func Join(cfg Config) (*Group, error) {
	if !cfg.Group.Addr().IsMulticast() {
		return nil, fmt.Errorf("%v is not the address of a multicast group", cfg.Group.Addr())
	}
	on, err := net.InterfaceByName(cfg.Interface)
	if err != nil {
		return nil, fmt.Errorf("multicast on %q: %w", cfg.Interface, err)
	}
	g := &Group{group: cfg.Group, buffer: make([]byte, maxDatagram)}
	if g.in, err = receiver(cfg.Group, on.Index); err != nil {
		return nil, fmt.Errorf("join %v on %s: %w", cfg.Group, cfg.Interface, err)
	}
	if g.out, err = sender(cfg, on.Index); err != nil {
		return nil, errors.Join(fmt.Errorf("send to %v on %s: %w", cfg.Group, cfg.Interface, err), g.in.Close())
	}
	return g, nil
}

// Send sends one datagram to the group. It does not wait for more than a moment.
func (g *Group) Send(b []byte) error {
	if err := g.out.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return err
	}
	_, err := g.out.WriteToUDPAddrPort(b, g.group)
	return err
}

// Receive waits for a datagram; one goroutine at a time may do so. The datagram is valid until the next call. After Close
// the error is net.ErrClosed.
func (g *Group) Receive() (b []byte, from netip.AddrPort, err error) {
	n, from, err := g.in.ReadFromUDPAddrPort(g.buffer)
	return g.buffer[:n], netip.AddrPortFrom(from.Addr().Unmap().WithZone(""), from.Port()), err
}

// Close leaves the group, and ends Receive.
func (g *Group) Close() error { return errors.Join(g.in.Close(), g.out.Close()) }
