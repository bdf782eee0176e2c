// SPDX-License-Identifier: Apache-2.0

package load

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Connections is how many TCP connections are established to a served address and port, out of most; more are full load.
func Connections(at netip.AddrPort, most int) Sampler {
	return func(context.Context) (float64, error) { // the kernel answers at once
		n, err := established(at)
		return min(float64(n)/float64(most), 1), err
	}
}

// established counts the connections of both families: a server that listens on [::] has IPv4's as mapped addresses.
func established(at netip.AddrPort) (int, error) {
	n := 0
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		request := nl.NewNetlinkRequest(nl.SOCK_DIAG_BY_FAMILY, unix.NLM_F_DUMP)
		request.AddData(diagRequest{family, at.Port()})
		err := request.ExecuteIter(unix.NETLINK_INET_DIAG, 0, func(message []byte) bool {
			if local, ok := localEnd(message); ok && local == at.Addr().Unmap() {
				n++
			}
			return true
		})
		// A dump that was interrupted may be off by a few, as any count of what changes.
		if err != nil && !errors.Is(err, nl.ErrDumpInterrupted) {
			return 0, fmt.Errorf("list connections by sock_diag: %w", err)
		}
	}
	return n, nil
}

// diagRequest is the kernel's inet_diag_req_v2: the established TCP sockets of a family and a local port, which the kernel
// selects itself, so that other sockets cost little.
type diagRequest struct {
	family uint8
	port   uint16
}

// Lengths and places in inet_diag_req_v2 and inet_diag_msg (linux/inet_diag.h). Both have an inet_diag_sockid, at 8 and at
// 4: ports in network order, then the local address.
const (
	diagRequestLen = 56
	diagMessageLen = 72
	tcpEstablished = 1
)

func (diagRequest) Len() int { return diagRequestLen }

func (r diagRequest) Serialize() []byte {
	b := make([]byte, diagRequestLen)
	b[0], b[1] = r.family, unix.IPPROTO_TCP
	binary.NativeEndian.PutUint32(b[4:], 1<<tcpEstablished)
	binary.BigEndian.PutUint16(b[8:], r.port)
	return b
}

// localEnd is the local address in an inet_diag_msg.
func localEnd(message []byte) (netip.Addr, bool) {
	if len(message) < diagMessageLen {
		return netip.Addr{}, false
	}
	if message[0] == unix.AF_INET {
		return netip.AddrFrom4([4]byte(message[8:12])), true
	}
	return netip.AddrFrom16([16]byte(message[8:24])).Unmap(), true
}
