// SPDX-License-Identifier: Apache-2.0

package sctp

import (
	"errors"
	"io"
	"os"
	"slices"

	lib "github.com/ishidawataru/sctp"
	"golang.org/x/sys/unix"
)

// minRead is how much room a read has at least: a notification fits, of which
// only the first bytes matter.
const minRead = 2048

// packet is what one recvmsg(2) gave.
type packet struct {
	n     int
	oob   []byte
	flags int
}

// receive reads the next bytes of a message into p, and says whether they are
// its last: the library drops MSG_EOR, and with it the ends of messages. What is
// said about the association goes no further; the library hands it out as data.
func (c *Conn) receive(p []byte) (n int, whole bool, err error) {
	for {
		got, err := c.recvmsg(p)
		switch {
		case err != nil:
			return 0, false, err
		case got.flags&lib.MSG_NOTIFICATION != 0:
			if err := c.ended(p[:got.n]); err != nil {
				return 0, false, err
			}
			continue
		case got.n == 0:
			return 0, false, io.EOF
		}
		ppid, err := receivedPPID(got.oob)
		if err != nil {
			return 0, false, c.abort(err)
		}
		if !slices.Contains(c.ppids, ppid) {
			return 0, false, c.abort(ErrPPID)
		}
		return got.n, got.flags&unix.MSG_EOR != 0, nil
	}
}

// ended is the end that a notification tells of, if any. Without it a reader
// would wait for ever for an association that this end shut down, or of which a
// writer has been told already that it is lost.
func (c *Conn) ended(notification []byte) error {
	state, ok := changed(notification)
	switch {
	case ok && state == lib.SCTP_RESTART:
		return c.abort(errRestart)
	case ok && state == lib.SCTP_SHUTDOWN_COMP:
		return io.EOF
	case ok && state == lib.SCTP_COMM_LOST:
		return c.errorOf(c.control(lost))
	}
	return nil
}

// lost is why the association was lost, if nobody has been told.
func lost(fd int) error {
	errno, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR)
	if err == nil && errno == 0 {
		errno = int(unix.ECONNRESET)
	}
	if err == nil {
		err = unix.Errno(errno)
	}
	return os.NewSyscallError("recvmsg", err)
}

// recvmsg waits in the poller, where deadlines end it and no thread is spent: the
// library's reads block one each, and know no deadline.
func (c *Conn) recvmsg(p []byte) (packet, error) {
	var oob [128]byte // the identifier needs 48
	var got packet
	var failed error
	err := c.raw.Read(func(fd uintptr) bool {
		failed = ignoringEINTR(func() error {
			n, oobn, flags, _, err := unix.Recvmsg(int(fd), p, oob[:], unix.MSG_CMSG_CLOEXEC)
			got = packet{n, oob[:max(oobn, 0)], flags}
			return err
		})
		return !errors.Is(failed, unix.EAGAIN)
	})
	if err != nil {
		return packet{}, c.errorOf(err)
	}
	return got, c.errorOf(os.NewSyscallError("recvmsg", failed))
}
