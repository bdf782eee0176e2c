// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"fmt"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// defaultHandshakeTimeout covers the way from the TCP connection to the
	// finished handshake.
	defaultHandshakeTimeout = 5 * time.Second
	// userTimeout is how long data may go unacknowledged, or find the peer's
	// window closed, before the kernel gives the connection up (tcp(7)).
	userTimeout = 10 * time.Second
)

// keepAlive finds out about a peer that vanished while nobody had anything to
// say: after 15 s of silence, and 3 probes 5 s apart.
func keepAlive() net.KeepAliveConfig {
	return net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}
}

// tune sets what net's own configuration does not. Go sets TCP_NODELAY itself.
func tune(conn *net.TCPConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(userTimeout.Milliseconds()))
	})
	if err != nil {
		return err
	}
	if failed != nil {
		return fmt.Errorf("set TCP_USER_TIMEOUT: %w", failed)
	}
	return nil
}

// addrPort returns a TCP address, IPv4 as IPv4 also on a socket for both.
func addrPort(a net.Addr) netip.AddrPort {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	ap := tcp.AddrPort()
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
}

func handshakeTimeout(d time.Duration) time.Duration {
	if d <= 0 {
		return defaultHandshakeTimeout
	}
	return d
}
