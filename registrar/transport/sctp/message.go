// SPDX-License-Identifier: Apache-2.0

package sctp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"unsafe"

	lib "github.com/ishidawataru/sctp"
	"golang.org/x/sys/unix"
)

// rcvInfoLen is the length of struct sctp_rcvinfo (RFC 6458 5.3.5): three
// numbers of 16 bits, two bytes of padding, then the identifier.
const (
	rcvInfoLen  = 28
	rcvInfoPPID = 8
)

// errRestart: the peer has lost the association and begun it anew (RFC 9260
// 5.2.4.1), and with it what was said before.
var errRestart = errors.New("the peer began the association anew")

// sendInfo is the ancillary data of a message with an identifier. The library's
// SetDefaultSentParam sends it in this machine's byte order: 11 arrives as
// 0xb000000.
func sendInfo(ppid uint32) []byte {
	info := structure(lib.SndInfo{PPID: swapped(ppid)})
	b := make([]byte, unix.CmsgSpace(len(info)))
	header := (*unix.Cmsghdr)(unsafe.Pointer(unsafe.SliceData(b)))
	header.Level, header.Type = unix.IPPROTO_SCTP, lib.SCTP_CMSG_SNDINFO
	header.SetLen(unix.CmsgLen(len(info)))
	copy(b[unix.CmsgLen(0):], info)
	return b
}

// receivedPPID finds the identifier in a message's ancillary data.
func receivedPPID(oob []byte) (uint32, error) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return 0, fmt.Errorf("ancillary data of SCTP: %w", err)
	}
	for _, m := range messages {
		if m.Header.Level == unix.IPPROTO_SCTP && m.Header.Type == lib.SCTP_CMSG_RCVINFO && len(m.Data) >= rcvInfoLen {
			return swapped(binary.NativeEndian.Uint32(m.Data[rcvInfoPPID:])), nil
		}
	}
	return 0, errShort
}

// swapped is ppid in network byte order as a number of this machine, or back:
// the kernel leaves the order to its users (RFC 6458 5.3.4).
func swapped(ppid uint32) uint32 {
	return binary.NativeEndian.Uint32(binary.BigEndian.AppendUint32(nil, ppid))
}

// changed tells what a notification says of the association. Only some matter:
// the others announce what the next call finds out anyway.
func changed(notification []byte) (state lib.SCTPState, ok bool) {
	const header = 8 // type, flags, length; then the state
	if len(notification) < header+2 ||
		lib.SCTPNotificationType(binary.NativeEndian.Uint16(notification)) != lib.SCTP_ASSOC_CHANGE {
		return 0, false
	}
	return lib.SCTPState(binary.NativeEndian.Uint16(notification[header:])), true
}
