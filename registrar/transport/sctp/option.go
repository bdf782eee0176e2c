// SPDX-License-Identifier: Apache-2.0

package sctp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"time"
	"unsafe"

	lib "github.com/ishidawataru/sctp"
	"golang.org/x/sys/unix"
)

// optRecvRcvInfo asks for the peer's identifiers beside each message (RFC 6458
// 8.1.29); the library does not know it.
const optRecvRcvInfo = 32

const (
	// stall is how long the peer may take nothing before a write gives it up.
	stall = 10 * time.Second
	// A peer that is gone is noticed after the sixth of the timeouts 0.5, 1, 2, 2,
	// 2 and 2 s while data waits for it. When nobody has anything to say, a
	// heartbeat goes out a second after the timeout before: in all some 16 s.
	rtoInitial = time.Second
	rtoMin     = 500 * time.Millisecond
	rtoMax     = 2 * time.Second
	heartbeat  = time.Second
	maxRetries = 5
	// pathRetries before another of the peer's addresses is tried: 3.5 s.
	pathRetries = 2
)

// errShort: the kernel said less than it should.
var errShort = errors.New("half a structure of SCTP from the kernel")

// setOption passes value as it is. The library passes the address of something on
// the stack as a number, and the stack may move before the call: it has lost 40
// to 60 of 4,000 queries that way.
func setOption(fd, name int, value []byte) error {
	err := unix.SetsockoptString(fd, lib.SOL_SCTP, name, string(value))
	return os.NewSyscallError("setsockopt", err)
}

// getOption asks for an option whose structure begins as value does, and returns
// value as the kernel filled it. The size that the kernel gives back is of no
// use: for addresses it leaves out what stands before them.
func getOption(fd, name int, value []byte) ([]byte, error) {
	size := uint32(len(value))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), lib.SOL_SCTP, uintptr(name),
		uintptr(unsafe.Pointer(unsafe.SliceData(value))), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return nil, os.NewSyscallError("getsockopt", errno)
	}
	return value, nil
}

// maxAddrs is room for all addresses that an association has in practice; an
// INIT of 1,500 bytes holds 70 of IPv6.
const maxAddrs = 256

// addresses asks for a list: lib.SCTP_GET_PEER_ADDRS or SCTP_GET_LOCAL_ADDRS.
func addresses(fd, name int) ([]netip.AddrPort, error) {
	const header = 8 // association, number
	b, err := getOption(fd, name, make([]byte, header+maxAddrs*inet6Len))
	if err != nil {
		return nil, err
	}
	n := binary.NativeEndian.Uint32(b[4:])
	if n == 0 || n > maxAddrs {
		return nil, fmt.Errorf("an association with %d addresses", n)
	}
	return unpack(b[header:], int(n))
}

// tune sets what an association begins with; a listening socket hands it down.
func tune(fd int) error {
	ms := func(d time.Duration) uint32 { return uint32(d.Milliseconds()) }
	one := binary.NativeEndian.AppendUint32(nil, 1)
	for _, o := range []struct {
		what  string
		name  int
		value []byte
	}{
		{"SCTP_NODELAY", lib.SCTP_NODELAY, one},
		{"SCTP_RECVRCVINFO", optRecvRcvInfo, one},
		{"SCTP_EVENTS", lib.SCTP_EVENTS, structure(lib.EventSubscribe{Association: 1})},
		{"SCTP_INITMSG", lib.SCTP_INITMSG, structure(lib.InitMsg{
			NumOstreams: 1, MaxInstreams: 1, MaxInitTimeout: uint16(ms(rtoMax)),
		})},
		{"SCTP_RTOINFO", lib.SCTP_RTOINFO, structure(rtoInfo{Initial: ms(rtoInitial), Max: ms(rtoMax), Min: ms(rtoMin)})},
		{"SCTP_ASSOCINFO", lib.SCTP_ASSOCINFO, structure(assocParams{MaxRetries: maxRetries})},
		{"SCTP_PEER_ADDR_PARAMS", lib.SCTP_PEER_ADDR_PARAMS, structure(pathParams{
			Heartbeat: ms(heartbeat), MaxRetries: pathRetries, Flags: heartbeatEnable,
		})},
	} {
		if err := setOption(fd, o.name, o.value); err != nil {
			return fmt.Errorf("set %s: %w", o.what, err)
		}
	}
	return nil
}

// rtoInfo is struct sctp_rtoinfo; times in ms.
type rtoInfo struct {
	Association       int32
	Initial, Max, Min uint32
}

// assocParams is struct sctp_assocparams. A zero leaves the kernel's value.
type assocParams struct {
	Association                       int32
	MaxRetries, PeerDestinations      uint16
	PeerWindow, LocalWindow, CookieMS uint32
}

// heartbeatEnable is SPP_HB_ENABLE.
const heartbeatEnable = 1

// pathParams is struct sctp_paddrparams, which is packed and ends at a multiple
// of four bytes. No address: every path.
type pathParams struct {
	Association int32
	Address     [128]byte
	Heartbeat   uint32 // ms
	MaxRetries  uint16
	MTU         uint32
	SackDelay   uint32 // ms; a zero leaves the kernel's value
	Flags       uint32
	FlowLabel   uint32
	DSCP        uint8
	_           uint8
}

// structure is the bytes of a C structure without padding of its own.
func structure(v any) []byte {
	b, err := binary.Append(nil, binary.NativeEndian, v)
	if err != nil {
		panic(err) // not a structure of fixed size: a fault in this package
	}
	return b
}
