// SPDX-License-Identifier: Apache-2.0

package sctp

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"

	lib "github.com/ishidawataru/sctp"
	"golang.org/x/sys/unix"
)

// ErrAssociated says that there is an association between these two ports, most
// likely one that the other end dialed.
var ErrAssociated = errors.New("there is an association between these two ports")

// Endpoint is the addresses of one end, and their port.
type Endpoint struct {
	Addrs []netip.Addr
	Port  uint16
}

// Dial connects to any of remote's addresses; they belong to one end. An empty
// local is the kernel's choice. A local port at which this process, or another of
// the same user, listens can be had too. When ctx ends it returns ctx's error.
func Dial(ctx context.Context, local, remote Endpoint, ppids []uint32) (*Conn, error) {
	fd, err := socket(family(local.Addrs, remote.Addrs))
	if err != nil {
		return nil, err
	}
	c, err := wrap(fd, ppids)
	if err != nil {
		return nil, err
	}
	if err := c.connect(ctx, local, remote); err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

func (c *Conn) connect(ctx context.Context, local, remote Endpoint) error {
	err := c.control(func(fd int) error {
		if err := leaveFrom(fd, local, remote); err != nil {
			return fmt.Errorf("bind: %w", err)
		}
		err := setOption(fd, lib.SCTP_SOCKOPT_CONNECTX, pack(remote.Addrs, remote.Port))
		switch {
		case errors.Is(err, unix.EINPROGRESS):
			return nil
		case errors.Is(err, unix.EADDRNOTAVAIL):
			return ErrAssociated
		}
		return err
	})
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.file.SetWriteDeadline(time.Unix(1, 0)) })
	err = c.established()
	if !stop() {
		return ctx.Err()
	}
	if err != nil {
		return err
	}
	return c.locate()
}

// leaveFrom binds to what local asks for.
func leaveFrom(fd int, local, remote Endpoint) error {
	addrs := local.Addrs
	switch {
	case len(addrs) == 0 && local.Port == 0:
		return nil
	case len(addrs) == 0 && family(remote.Addrs) == unix.AF_INET:
		addrs = []netip.Addr{netip.IPv4Unspecified()}
	case len(addrs) == 0:
		addrs = []netip.Addr{netip.IPv6Unspecified()}
	}
	if local.Port != 0 {
		// Beside a listener the kernel allows this alone: SCTP_REUSE_PORT and
		// SO_REUSEADDR are for sockets of which none listens.
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
	}
	_, err := bind(fd, addrs, local.Port)
	return err
}

// established waits until the association stands or has failed. The poller wakes
// it for either.
func (c *Conn) established() error {
	var failed error
	err := c.raw.Write(func(fd uintptr) bool {
		var stands bool
		stands, failed = connected(int(fd))
		return stands || failed != nil
	})
	if err != nil {
		return c.errorOf(err)
	}
	return failed
}

// connected looks at a socket that connects. Its association can be seen only
// when it stands.
func connected(fd int) (bool, error) {
	errno, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && errno != 0 {
		err = unix.Errno(errno)
	}
	if err != nil {
		return false, os.NewSyscallError("connect", err)
	}
	_, err = getOption(fd, lib.SCTP_STATUS, make([]byte, statusLen))
	if errors.Is(err, unix.EINVAL) {
		return false, nil
	}
	return err == nil, err
}

// statusLen is the size of struct sctp_status.
const statusLen = 176
