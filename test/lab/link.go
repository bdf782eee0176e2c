// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// End is one end of a link: an interface of a node.
type End struct {
	Node *Node
	Name string       // the interface's name, at most 15 bytes
	Addr netip.Prefix // its address and on-link prefix; the zero Prefix gives none
}

// Link joins two nodes by a veth pair, both ends up, with one queue each, no
// offloads, and MAC addresses that count up from 02:00:00:00:00:01 in the order
// of the lab's Link calls (a's before b's). An end without an IPv6 address has
// IPv6 switched off, so that nothing is sent there but what a test sends.
func (l *Lab) Link(a, b End) error {
	if err := l.addPair(a, b); err != nil {
		return fmt.Errorf("link %s on %s to %s on %s: %w", a.Name, a.Node.name, b.Name, b.Node.name, err)
	}
	for _, end := range []End{a, b} {
		if err := end.configure(); err != nil {
			return fmt.Errorf("configure %s on %s: %w", end.Name, end.Node.name, err)
		}
	}
	return nil
}

// Host makes a node behind a gateway: a link between end, whose Node is the one to be made under the
// given name, and the gateway's end, and a default route by that. The host's end gets a program that
// passes everything, because packets redirected to the gateway's end would be lost without one.
func (l *Lab) Host(name string, end, gateway End) (*Node, error) {
	node, err := l.Node(name)
	if err != nil {
		return nil, err
	}
	end.Node = node
	if err := l.Link(end, gateway); err != nil {
		return nil, err
	}
	if err := node.AttachPass(end.Name); err != nil {
		return nil, err
	}
	return node, node.Route(netip.MustParsePrefix("0.0.0.0/0"), gateway.Addr.Addr())
}

func (l *Lab) addPair(a, b End) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.NumTxQueues, attrs.NumRxQueues = a.Name, 1, 1
	attrs.HardwareAddr = l.nextMAC()
	pair := netlink.NewVeth(attrs)
	pair.PeerName, pair.PeerNumTxQueues, pair.PeerNumRxQueues = b.Name, 1, 1
	pair.PeerHardwareAddr = l.nextMAC()
	pair.PeerNamespace = netlink.NsFd(b.Node.ns)
	if err := a.Node.handle.LinkAdd(pair); err != nil {
		return err
	}
	link, err := a.Node.handle.LinkByName(a.Name)
	if err != nil {
		return err
	}
	l.links = append(l.links, ownedLink{node: a.Node, link: link})
	return nil
}

// nextMAC counts up. The first octet marks a locally administered address.
func (l *Lab) nextMAC() net.HardwareAddr {
	l.ends++
	return net.HardwareAddr{2, 0, 0, 0, byte(l.ends >> 8), byte(l.ends)}
}

func (e End) configure() error {
	if !e.Addr.Addr().Is6() {
		err := e.Node.Sysctl("net.ipv6.conf."+e.Name+".disable_ipv6", "1")
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // a kernel without IPv6
			return err
		}
	}
	if err := e.Node.disableOffloads(e.Name); err != nil {
		return err
	}
	if e.Addr.IsValid() {
		if err := e.Node.AddAddr(e.Name, e.Addr); err != nil {
			return err
		}
	}
	return e.Node.SetLink(e.Name, true)
}

// AddAddr gives an interface one more address.
func (n *Node) AddAddr(ifname string, addr netip.Prefix) error {
	link, err := n.link(ifname)
	if err != nil {
		return err
	}
	// No duplicate address detection: an IPv6 address is of use at once.
	if err := n.handle.AddrAdd(link, &netlink.Addr{IPNet: ipNet(addr), Flags: unix.IFA_F_NODAD}); err != nil {
		return fmt.Errorf("add %s to %s on %s: %w", addr, ifname, n.name, err)
	}
	return nil
}

// DelAddr takes an address from an interface.
func (n *Node) DelAddr(ifname string, addr netip.Prefix) error {
	link, err := n.link(ifname)
	if err != nil {
		return err
	}
	if err := n.handle.AddrDel(link, &netlink.Addr{IPNet: ipNet(addr)}); err != nil {
		return fmt.Errorf("remove %s from %s on %s: %w", addr, ifname, n.name, err)
	}
	return nil
}

// SetLink switches an interface on or off. The other end of a link loses its
// carrier with it.
func (n *Node) SetLink(ifname string, up bool) error {
	link, err := n.link(ifname)
	if err != nil {
		return err
	}
	set, verb := n.handle.LinkSetDown, "down"
	if up {
		set, verb = n.handle.LinkSetUp, "up"
	}
	if err := set(link); err != nil {
		return fmt.Errorf("set %s on %s %s: %w", ifname, n.name, verb, err)
	}
	return nil
}

// Route sends dst by way of a neighbour. It replaces a route to the same dst.
func (n *Node) Route(dst netip.Prefix, via netip.Addr) error {
	route := &netlink.Route{Dst: ipNet(dst.Masked()), Gw: via.AsSlice()}
	if err := n.handle.RouteReplace(route); err != nil {
		return fmt.Errorf("route %s via %s on %s: %w", dst, via, n.name, err)
	}
	return nil
}

func (n *Node) link(ifname string) (netlink.Link, error) {
	link, err := n.handle.LinkByName(ifname)
	if err != nil {
		return nil, fmt.Errorf("find %s on %s: %w", ifname, n.name, err)
	}
	return link, nil
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
