// SPDX-License-Identifier: Apache-2.0

package nexthop

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// hearNeighbor notes what a message says of a neighbour, and tells whether it matters for answers.
func (f *Finder) hearNeighbor(m syscall.NetlinkMessage) bool {
	t, n, err := parseNeighbor(m.Data)
	if err != nil || !t.addr.IsValid() || !f.ours[t.out] {
		return false
	}
	old := f.neighbors[t]
	if m.Header.Type == unix.RTM_DELNEIGH {
		delete(f.neighbors, t)
		return old.resolved()
	}
	if f.neighbors != nil {
		f.neighbors[t] = n
	}
	return old.resolved() != n.resolved() || old.mac != n.mac
}
