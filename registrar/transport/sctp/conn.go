// SPDX-License-Identifier: Apache-2.0

package sctp

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// MaxMessage is the longest message that ReadMessage takes.
const MaxMessage = 64 << 10

// Errors that end a connection.
var (
	// ErrPPID: a message with a payload protocol identifier that nobody asked for.
	ErrPPID = errors.New("a message of another protocol")
	// ErrTooLong: a message longer than MaxMessage.
	ErrTooLong = errors.New("a message of SCTP that is too long")
	// errStall: the peer takes nothing.
	errStall = fmt.Errorf("the peer took nothing for %v", stall)
)

// Conn is one association. One goroutine may read, and one write, at a time; Close
// ends both.
type Conn struct {
	file          *os.File
	raw           syscall.RawConn
	ppids         []uint32 // what the peer's messages may have
	local, remote []netip.AddrPort
	closed        atomic.Bool

	message []byte // the part of a message that has been read; the reader's
	rest    []byte // what a short Read left behind; the reader's

	mu       sync.Mutex
	deadline time.Time // of writing, as set
	limit    time.Time // of the write that waits; zero: none does
}

// newConn takes over an associated socket; it closes what fails.
func newConn(fd int, ppids []uint32) (*Conn, error) {
	c, err := wrap(fd, ppids)
	if err != nil {
		return nil, err
	}
	if err := c.locate(); err != nil {
		_ = c.Close()
		return nil, fmt.Errorf("addresses of an association: %w", err)
	}
	return c, nil
}

// wrap gives a socket to the poller.
func wrap(fd int, ppids []uint32) (*Conn, error) {
	file := os.NewFile(uintptr(fd), "sctp") // which looks whether it blocks
	raw, err := file.SyscallConn()
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	return &Conn{file: file, raw: raw, ppids: ppids}, nil
}

// locate asks for the addresses of both ends.
func (c *Conn) locate() error {
	return c.control(func(fd int) (err error) {
		if c.remote, err = addresses(fd, optPeerAddrs); err != nil {
			return err
		}
		c.local, err = addresses(fd, optLocalAddrs)
		return err
	})
}

// control runs f with the descriptor.
func (c *Conn) control(f func(fd int) error) error {
	var failed error
	if err := c.raw.Control(func(fd uintptr) { failed = f(int(fd)) }); err != nil {
		return c.errorOf(err)
	}
	return failed
}

// RemoteAddrs are the peer's addresses, as it gave them when it connected: the
// kernel sends to another than the first only when that has answered there.
func (c *Conn) RemoteAddrs() []netip.AddrPort { return slices.Clone(c.remote) }

// LocalAddrs are this end's addresses.
func (c *Conn) LocalAddrs() []netip.AddrPort { return slices.Clone(c.local) }

// RemoteAddr is RemoteAddrs for net.Conn.
func (c *Conn) RemoteAddr() net.Addr { return netAddr(c.remote) }

// LocalAddr is LocalAddrs for net.Conn.
func (c *Conn) LocalAddr() net.Addr { return netAddr(c.local) }

// ReadMessage returns one whole message. io.EOF means that the peer shut the
// association down. What a deadline interrupts goes on with the next call.
func (c *Conn) ReadMessage() ([]byte, error) {
	for {
		if len(c.message) == cap(c.message) {
			c.message = slices.Grow(c.message, max(minRead, len(c.message)))
		}
		n, whole, err := c.receive(c.message[len(c.message):cap(c.message)])
		if err != nil {
			return nil, err
		}
		c.message = c.message[:len(c.message)+n]
		switch {
		case len(c.message) > MaxMessage:
			return nil, c.abort(ErrTooLong)
		case whole:
			message := slices.Clip(c.message)
			c.message = nil
			return message, nil
		}
	}
}

// Read reads the peer's messages as one stream of bytes.
func (c *Conn) Read(p []byte) (int, error) {
	if len(c.rest) > 0 || len(p) == 0 {
		n := copy(p, c.rest)
		c.rest = c.rest[n:]
		return n, nil
	}
	if len(p) >= minRead {
		n, _, err := c.receive(p)
		return n, err
	}
	b := make([]byte, minRead)
	n, _, err := c.receive(b)
	if err != nil {
		return 0, err
	}
	c.rest = b[copy(p, b[:n]):n]
	return min(n, len(p)), nil
}

// WriteMessage sends one message, or nothing of it. When the peer takes nothing
// for 10 s the association is given up.
func (c *Conn) WriteMessage(p []byte, ppid uint32) error {
	info := sendInfo(ppid)
	var sent error
	send := func(fd uintptr) bool {
		sent = ignoringEINTR(func() error {
			_, err := unix.SendmsgN(int(fd), p, info, nil, unix.MSG_NOSIGNAL)
			return err
		})
		return !errors.Is(sent, unix.EAGAIN)
	}
	// Mostly there is room, and no deadline to be set.
	err := c.raw.Write(func(fd uintptr) bool { send(fd); return true })
	if err == nil && errors.Is(sent, unix.EAGAIN) {
		c.startWaiting()
		err = c.raw.Write(send)
		if c.stopWaiting() && errors.Is(err, os.ErrDeadlineExceeded) {
			return c.abort(errStall)
		}
	}
	if err != nil {
		return c.errorOf(err)
	}
	return c.errorOf(os.NewSyscallError("sendmsg", sent))
}

// Finish sends no more: the association ends when the peer has everything. What
// the peer sent before can still be read.
func (c *Conn) Finish() error {
	return c.control(func(fd int) error { return os.NewSyscallError("shutdown", unix.Shutdown(fd, unix.SHUT_WR)) })
}

// Close ends the association when the peer has everything, and with it the calls
// that wait; it does not wait itself. Data that nobody has read aborts it.
func (c *Conn) Close() error {
	if c.closed.Swap(true) {
		return nil
	}
	return c.file.Close()
}

// abort ends the association without a goodbye, and returns why.
func (c *Conn) abort(why error) error {
	_ = c.control(func(fd int) error { // if it fails, the peer gets a goodbye
		return unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1})
	})
	_ = c.Close()
	return why
}

// errorOf is err, or net.ErrClosed if this end has closed.
func (c *Conn) errorOf(err error) error {
	switch {
	case err == nil:
		return nil
	case c.closed.Load():
		return net.ErrClosed
	case errors.Is(err, unix.ENOTCONN): // the error that ended it has been told
		return io.ErrUnexpectedEOF
	}
	return err
}

func ignoringEINTR(f func() error) error {
	for {
		if err := f(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}
