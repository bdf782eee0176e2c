// SPDX-License-Identifier: Apache-2.0

package nexthop

import (
	"encoding/binary"
	"errors"
	"fmt"
	"syscall"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// protocol marks the neighbours that we have the kernel manage, as a routing daemon's number marks its routes.
const protocol = 87

// manage has the kernel resolve a neighbour now, and keep it so.
func (k *kernel) manage(t target, n neighbor) error {
	return k.setNeighbor(t, n, unix.NUD_NONE, true, unix.NLM_F_CREATE)
}

// probe has the kernel ask a neighbour, whether it still is where it was. Packets go there meanwhile. The
// kernel sets a state only of one that it does not manage.
func (k *kernel) probe(t target, n neighbor) error {
	if err := k.setNeighbor(t, n, unix.NUD_PROBE, false, unix.NLM_F_REPLACE); err != nil || !n.managed {
		return err
	}
	return k.setNeighbor(t, n, unix.NUD_NONE, true, 0)
}

// release makes a neighbour one of those that the kernel keeps as long as it needs them: packets may be on
// their way to it. One that nobody answers for goes at once.
func (k *kernel) release(t target, n neighbor) error {
	err := k.setNeighbor(t, n, unix.NUD_STALE, false, unix.NLM_F_REPLACE)
	if !n.resolved() {
		err = k.request(unix.RTM_DELNEIGH, unix.NLM_F_ACK, neighborMessage(t, 0), 0, nil)
	}
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("let go of neighbour %s: %w", t.addr, err)
	}
	return nil
}

// setNeighbor changes a neighbour. One that somebody else has the kernel manage does not become ours.
func (k *kernel) setNeighbor(t target, n neighbor, state uint16, managed bool, flags int) error {
	m := neighborMessage(t, state)
	if managed {
		m = append(m, nl.NewRtAttr(netlink.NDA_FLAGS_EXT, nl.Uint32Attr(netlink.NTF_EXT_MANAGED)).Serialize()...)
	}
	if managed && (!n.managed || n.protocol == protocol) {
		m = append(m, nl.NewRtAttr(ndaProtocol, nl.Uint8Attr(protocol)).Serialize()...)
	}
	return k.request(unix.RTM_NEWNEIGH, unix.NLM_F_ACK|flags, m, 0, nil)
}

// neighborMessage is struct ndmsg with the neighbour's address.
func neighborMessage(t target, state uint16) []byte {
	m := make([]byte, unix.SizeofNdMsg)
	m[0] = unix.AF_INET
	if t.addr.Is6() {
		m[0] = unix.AF_INET6
	}
	binary.NativeEndian.PutUint32(m[4:], uint32(t.out))
	binary.NativeEndian.PutUint16(m[8:], state)
	return append(m, nl.NewRtAttr(netlink.NDA_DST, t.addr.AsSlice()).Serialize()...)
}

// hearNeighbor notes what a message says of a neighbour, and tells whether it matters for answers.
func (f *Finder) hearNeighbor(m syscall.NetlinkMessage) bool {
	t, n, err := parseNeighbor(m.Data)
	if err != nil || !t.addr.IsValid() || !f.ours[t.out] || f.neighbors == nil {
		return false
	}
	old := f.neighbors[t]
	if m.Header.Type == unix.RTM_DELNEIGH {
		delete(f.neighbors, t)
		return old.resolved()
	}
	f.neighbors[t] = n
	return old.resolved() != n.resolved() || old.mac != n.mac
}
