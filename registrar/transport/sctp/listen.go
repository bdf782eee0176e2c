// SPDX-License-Identifier: Apache-2.0

package sctp

import (
	"errors"
	"fmt"
	"net/netip"
	"os"

	lib "github.com/ishidawataru/sctp"
	"golang.org/x/sys/unix"
)

const (
	optPeerAddrs  = lib.SCTP_GET_PEER_ADDRS
	optLocalAddrs = lib.SCTP_GET_LOCAL_ADDRS
	backlog       = 4096 // as Go's for TCP: the kernel's own limit counts
)

// Listener is a socket that listens.
type Listener struct {
	conn  *Conn // without an association
	ppids []uint32
	addrs []netip.AddrPort
}

// Incoming is an association that nobody has looked at.
type Incoming struct {
	fd    int
	ppids []uint32
	// Remote is one of the peer's addresses.
	Remote netip.AddrPort
}

// Listen listens at the addresses, all with one port; port 0 is the kernel's
// choice. The unspecified IPv6 address is IPv4's too. ppids are what the peers'
// messages may have.
func Listen(addrs []netip.Addr, port uint16, ppids []uint32) (*Listener, error) {
	fd, err := socket(family(addrs))
	if err != nil {
		return nil, err
	}
	l := &Listener{ppids: ppids}
	if l.conn, err = wrap(fd, nil); err != nil {
		return nil, err
	}
	err = l.conn.control(func(fd int) error {
		if port, err = bind(fd, addrs, port); err != nil {
			return fmt.Errorf("bind: %w", err)
		}
		return listen(fd)
	})
	if err != nil {
		_ = l.conn.Close()
		return nil, err
	}
	for _, addr := range addrs {
		l.addrs = append(l.addrs, netip.AddrPortFrom(addr, port))
	}
	return l, nil
}

// listen lets others connect from the same port, as a registrar's own
// associations with its peers do. Asked for only now, it does not let a second
// listener in: that one could not bind to the port.
func listen(fd int) error {
	if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
		return os.NewSyscallError("setsockopt", err)
	}
	return os.NewSyscallError("listen", unix.Listen(fd, backlog))
}

// Addrs are where it listens.
func (l *Listener) Addrs() []netip.AddrPort { return l.addrs }

// Accept returns the next association. It does not look into it: what is wrong
// with one keeps nobody from the next.
func (l *Listener) Accept() (*Incoming, error) {
	in := &Incoming{ppids: l.ppids}
	var failed error
	err := l.conn.raw.Read(func(fd uintptr) bool {
		failed = ignoringEINTR(func() error {
			// The library's accepted sockets are inherited by programs that are run.
			nfd, sa, err := unix.Accept4(int(fd), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
			in.fd, in.Remote = nfd, fromSockaddr(sa)
			return err
		})
		return !errors.Is(failed, unix.EAGAIN)
	})
	if err != nil {
		return nil, l.conn.errorOf(err)
	}
	if failed != nil {
		return nil, os.NewSyscallError("accept", failed)
	}
	return in, nil
}

// Conn takes the association over; to be called once.
func (in *Incoming) Conn() (*Conn, error) { return newConn(in.fd, in.ppids) }

// Close ends Accept. Associations that it returned are left alone.
func (l *Listener) Close() error { return l.conn.Close() }

// socket opens one that does not block, and sets what its associations begin with.
func socket(family int) (int, error) {
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, unix.IPPROTO_SCTP)
	if err != nil {
		return -1, os.NewSyscallError("socket", err)
	}
	if err := prepare(fd, family); err != nil {
		_ = unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

func prepare(fd, family int) error {
	// A listener of old may have left associations behind.
	err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	if err == nil && family == unix.AF_INET6 {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0)
	}
	if err != nil {
		return os.NewSyscallError("setsockopt", err)
	}
	return tune(fd)
}

// bind binds to the first address, which settles the port, and then to the others.
func bind(fd int, addrs []netip.Addr, port uint16) (uint16, error) {
	if err := setOption(fd, lib.SCTP_SOCKOPT_BINDX_ADD, pack(addrs[:1], port)); err != nil {
		return 0, err
	}
	bound, err := unix.Getsockname(fd)
	if err != nil {
		return 0, os.NewSyscallError("getsockname", err)
	}
	port = fromSockaddr(bound).Port()
	if len(addrs) > 1 {
		err = setOption(fd, lib.SCTP_SOCKOPT_BINDX_ADD, pack(addrs[1:], port))
	}
	return port, err
}
