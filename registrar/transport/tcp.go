// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weir-lb/weir/registrar/wire"
)

// userTimeout is how long data may go unacknowledged, or find the peer's window
// closed, before the kernel gives the connection up (tcp(7)).
const userTimeout = 10 * time.Second

// keepAlive finds out about a peer that vanished while nobody had anything to
// say: after 15 s of silence, and 3 probes 5 s apart.
func keepAlive() net.KeepAliveConfig {
	return net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3}
}

type tcpAcceptor struct{ *net.TCPListener }

func listenTCP(ctx context.Context, cfg *ListenConfig) (acceptor, error) {
	if len(cfg.More) > 0 {
		return nil, fmt.Errorf("listen at %v: over TCP there is one address", cfg.Addr)
	}
	network := "tcp"
	if cfg.Addr.Addr().Is4() {
		network = "tcp4" // "tcp" would make 0.0.0.0 a socket for IPv6 too
	}
	config := net.ListenConfig{KeepAliveConfig: keepAlive()}
	config.SetMultipathTCP(false)
	l, err := config.Listen(ctx, network, cfg.Addr.String())
	if err != nil {
		return nil, err // it names the address already
	}
	return tcpAcceptor{l.(*net.TCPListener)}, nil // what these networks listen with
}

func (a tcpAcceptor) accept() (incoming, error) {
	conn, err := a.AcceptTCP()
	if err != nil {
		return incoming{}, err
	}
	return incoming{addrPort(conn.RemoteAddr()), func() (*socket, error) { return tcpSocket(conn) }}, nil
}

func (a tcpAcceptor) addrs() []netip.AddrPort { return []netip.AddrPort{addrPort(a.Addr())} }

func dialTCP(ctx context.Context, cfg *DialConfig) (*socket, error) {
	if len(cfg.More) > 0 || len(cfg.Local) > 1 {
		return nil, fmt.Errorf("connect to %v: over TCP there is one address", cfg.Remote)
	}
	dialer := net.Dialer{KeepAliveConfig: keepAlive()}
	dialer.SetMultipathTCP(false)
	if len(cfg.Local) > 0 || cfg.LocalPort != 0 {
		local := net.TCPAddr{Port: int(cfg.LocalPort)}
		if len(cfg.Local) > 0 {
			local = *net.TCPAddrFromAddrPort(netip.AddrPortFrom(cfg.Local[0], cfg.LocalPort))
		}
		dialer.LocalAddr = &local
	}
	conn, err := dialer.DialContext(ctx, "tcp", cfg.Remote.String())
	if err != nil {
		return nil, err // it names the address already
	}
	s, err := tcpSocket(conn.(*net.TCPConn)) // what "tcp" dials
	if err != nil {
		return nil, fmt.Errorf("connect to %v: %w", cfg.Remote, err)
	}
	return s, nil
}

func tcpSocket(conn *net.TCPConn) (*socket, error) {
	if err := tune(conn); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &socket{
		Conn: conn, plain: newStream(conn), protocol: wire.ProtocolTCP, finish: conn.CloseWrite,
		local:  []netip.AddrPort{addrPort(conn.LocalAddr())},
		remote: []netip.AddrPort{addrPort(conn.RemoteAddr())},
	}, nil
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
