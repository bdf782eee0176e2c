// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"net"
	"net/netip"
	"testing"
	"time"
)

func TestBridgeIsOneSegment(t *testing.T) {
	l := newLab(t, "lab-bridge")
	hub := newNode(t, l, "hub")
	try(t, hub.Bridge("br0", netip.MustParsePrefix("10.9.0.1/24")))
	plugged := func(name, addr string) *Node {
		n := newNode(t, l, name)
		try(t, l.Link(End{n, "eth0", netip.MustParsePrefix(addr)}, End{Node: hub, Name: name}))
		try(t, hub.Plug(name, "br0"))
		try(t, n.Route(netip.MustParsePrefix("0.0.0.0/0"), netip.MustParseAddr("10.9.0.1")))
		return n
	}
	a, b := plugged("a", "10.9.0.2/24"), plugged("b", "10.9.0.3/24")
	checkEchoes(t, a, b, "10.9.0.3")
	checkEchoes(t, a, hub, "10.9.0.1")
	checkMulticast(t, a, b)
}

// checkMulticast sends to a group from one node, which the other one is a member of.
func checkMulticast(t *testing.T, from, to *Node) {
	t.Helper()
	group := &net.UDPAddr{IP: net.IPv4(239, 255, 77, 1), Port: 39867}
	var member *net.UDPConn
	try(t, to.Do(func() (err error) {
		member, err = net.ListenMulticastUDP("udp4", nil, group)
		return err
	}))
	defer member.Close()
	sender, err := dial(from, "udp4", group.String())
	try(t, err)
	defer sender.Close()
	_, err = sender.Write([]byte("all"))
	try(t, err)
	try(t, member.SetReadDeadline(time.Now().Add(patience)))
	b := make([]byte, 10)
	n, _, err := member.ReadFromUDP(b)
	if err != nil || string(b[:n]) != "all" {
		t.Errorf("%q by multicast, %v", b[:n], err)
	}
}
