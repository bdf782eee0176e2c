// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"fmt"
	"net/netip"

	"github.com/vishvananda/netlink"
)

// Bridge makes a switch of the node, with an address of the node at it: one segment
// for all who are plugged into it, on which broadcasts and multicasts reach everybody.
func (n *Node) Bridge(name string, addr netip.Prefix) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = name
	snooping := false // with it a group's members could be cut off when nobody asks for them
	bridge := &netlink.Bridge{LinkAttrs: attrs, MulticastSnooping: &snooping}
	if err := n.handle.LinkAdd(bridge); err != nil {
		return fmt.Errorf("make bridge %s on %s: %w", name, n.name, err)
	}
	return End{Node: n, Name: name, Addr: addr}.configure()
}

// Plug makes an interface of the node a port of its bridge.
func (n *Node) Plug(ifname, bridge string) error {
	port, err := n.link(ifname)
	if err != nil {
		return err
	}
	master, err := n.link(bridge)
	if err != nil {
		return err
	}
	if err := n.handle.LinkSetMaster(port, master); err != nil {
		return fmt.Errorf("plug %s into %s on %s: %w", ifname, bridge, n.name, err)
	}
	return nil
}
