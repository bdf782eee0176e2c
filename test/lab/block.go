// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Block makes the node drop, without a word, the packets from src to dst that it would forward, until Unblock with the same
// prefixes. It is the partition that a failure on the way makes: nobody gets an error.
func (n *Node) Block(src, dst netip.Prefix) error {
	if err := n.handle.RuleAdd(blackhole(src, dst)); err != nil {
		return fmt.Errorf("block %v to %v on %s: %w", src, dst, n.name, err)
	}
	return nil
}

// Unblock takes back a Block.
func (n *Node) Unblock(src, dst netip.Prefix) error {
	if err := n.handle.RuleDel(blackhole(src, dst)); err != nil {
		return fmt.Errorf("unblock %v to %v on %s: %w", src, dst, n.name, err)
	}
	return nil
}

func blackhole(src, dst netip.Prefix) *netlink.Rule {
	r := netlink.NewRule()
	r.Type, r.Priority, r.Src, r.Dst = unix.RTN_BLACKHOLE, 1, ipNet(src), ipNet(dst)
	if src.Addr().Is6() {
		r.Family = unix.AF_INET6
	} else {
		r.Family = unix.AF_INET
	}
	return r
}
