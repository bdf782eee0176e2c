// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"

	"github.com/weir-lb/weir/test/require"
)

func TestLinkCarriesTraffic(t *testing.T) {
	l := newLab(t, "lab-traffic")
	a, b := newPair(t, l)
	checkEchoes(t, a, b, "10.9.0.2")
}

func TestAttachPass(t *testing.T) {
	require.Need(t, require.Root, require.BPF)
	l := newLab(t, "lab-pass")
	a, b := newPair(t, l)

	try(t, a.AttachPass("eth0"))
	try(t, b.AttachPass("eth0"))

	for _, n := range []*Node{a, b} {
		xdp := linkOf(t, n, "eth0").Xdp
		if xdp == nil || xdp.AttachMode != nl.XDP_ATTACHED_DRV {
			t.Errorf("XDP on %s: %+v, want attached in native mode", n.name, xdp)
		}
	}
	checkEchoes(t, a, b, "10.9.0.2")
	if a.AttachPass("eth0") == nil {
		t.Error("a second program replaces the first without a word")
	}
}

func TestLinkHasNoOffloads(t *testing.T) {
	l := newLab(t, "lab-offload")
	a, b := newPair(t, l)
	for _, n := range []*Node{a, b} {
		for _, o := range offloads() {
			value, err := n.ethtool("eth0", o.get, 1)
			try(t, err)
			if value != 0 {
				t.Errorf("%s on %s is on", o.name, n.name)
			}
		}
	}
}

func TestLinkAddresses(t *testing.T) {
	l := newLab(t, "lab-mac")
	a, b := newPair(t, l)
	for n, want := range map[*Node]string{a: "02:00:00:00:00:01", b: "02:00:00:00:00:02"} {
		attrs := linkOf(t, n, "eth0")
		if got := attrs.HardwareAddr.String(); got != want {
			t.Errorf("MAC address on %s: %s, want %s", n.name, got, want)
		}
		if attrs.NumRxQueues != 1 || attrs.NumTxQueues != 1 {
			t.Errorf("queues on %s: %d and %d, want 1 and 1", n.name, attrs.NumRxQueues, attrs.NumTxQueues)
		}
	}
}

func TestSetLinkDownTakesTheCarrier(t *testing.T) {
	l := newLab(t, "lab-down")
	a, b := newPair(t, l)
	try(t, b.SetLink("eth0", false))
	eventually(t, "the other end has no carrier", func() bool {
		return linkOf(t, a, "eth0").OperState != netlink.OperUp
	})
	try(t, b.SetLink("eth0", true))
	checkEchoes(t, a, b, "10.9.0.2")
}

func TestRoute(t *testing.T) {
	l := newLab(t, "lab-route")
	a, b := newPair(t, l)
	far := newNode(t, l, "far")
	try(t, l.Link(End{b, "eth1", netip.MustParsePrefix("10.8.0.1/24")},
		End{far, "eth0", netip.MustParsePrefix("10.8.0.2/24")}))
	try(t, b.Sysctl("net.ipv4.ip_forward", "1"))
	try(t, far.AddAddr("eth0", netip.MustParsePrefix("10.7.0.1/32")))
	try(t, b.Route(netip.MustParsePrefix("10.7.0.0/24"), netip.MustParseAddr("10.8.0.2")))

	everywhere := netip.MustParsePrefix("0.0.0.0/0")
	try(t, far.Route(everywhere, netip.MustParseAddr("10.8.0.1")))
	try(t, a.Route(everywhere, netip.MustParseAddr("10.9.0.2")))
	try(t, a.Route(everywhere, netip.MustParseAddr("10.9.0.2"))) // replaces the same

	checkEchoes(t, a, far, "10.7.0.1")
}

// checkEchoes sends by ICMP, UDP and TCP from one node to an address of another.
func checkEchoes(t *testing.T, from, to *Node, addr string) {
	t.Helper()
	servers := serveEchoes(t, to, addr)
	message := bytes.Repeat([]byte("weir "), 1000/5)
	for network, target := range servers {
		if got, err := askEcho(from, network, target, message); err != nil || !bytes.Equal(got, message) {
			t.Errorf("echo over %s from %s: %d bytes, %v", network, target, len(got), err)
		}
	}
	if err := ping(from, addr); err != nil {
		t.Errorf("ping %s: %v", addr, err)
	}
}

// serveEchoes gives the addresses of servers, by network; they end with the test.
func serveEchoes(t *testing.T, n *Node, addr string) map[string]string {
	t.Helper()
	var stream net.Listener
	var datagrams net.PacketConn
	try(t, n.Do(func() (err error) {
		if stream, err = net.Listen("tcp4", addr+":0"); err != nil {
			return err
		}
		datagrams, err = net.ListenPacket("udp4", addr+":0")
		return err
	}))
	done := make(chan struct{}, 2)
	go func() { echoStream(stream); done <- struct{}{} }()
	go func() { echoDatagrams(datagrams); done <- struct{}{} }()
	t.Cleanup(func() {
		_, _ = stream.Close(), datagrams.Close()
		<-done
		<-done
	})
	return map[string]string{
		"tcp4": stream.Addr().String(),
		"udp4": datagrams.LocalAddr().String(),
	}
}

func echoStream(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		_, _ = io.Copy(conn, conn)
		_ = conn.Close()
	}
}

func echoDatagrams(c net.PacketConn) {
	buf := make([]byte, 2048)
	for {
		n, from, err := c.ReadFrom(buf)
		if err != nil {
			return
		}
		_, _ = c.WriteTo(buf[:n], from)
	}
}

func askEcho(n *Node, network, target string, message []byte) ([]byte, error) {
	conn, err := dial(n, network, target)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if _, err := conn.Write(message); err != nil {
		return nil, err
	}
	got := make([]byte, len(message))
	count, err := io.ReadAtLeast(conn, got, len(got))
	return got[:count], err
}

// ping sends one ICMP echo request with a good checksum, and waits for any
// echo reply from there.
func ping(n *Node, addr string) error { return pingWithin(n, addr, patience) }

func pingWithin(n *Node, addr string, limit time.Duration) error {
	conn, err := dial(n, "ip4:icmp", addr)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(limit)); err != nil {
		return err
	}
	request := []byte{8, 0, 0xf7, 0xff, 0, 0, 0, 0} // ^(0x0800) is the checksum
	if _, err := conn.Write(request); err != nil {
		return err
	}
	reply := make([]byte, 1500)
	for {
		count, _, err := conn.(*net.IPConn).ReadFrom(reply) // without the IP header
		if err != nil {
			return err
		}
		if count >= 1 && reply[0] == 0 {
			return nil
		}
	}
}

func dial(n *Node, network, target string) (net.Conn, error) {
	var conn net.Conn
	err := n.Do(func() (err error) {
		conn, err = net.DialTimeout(network, target, patience)
		return err
	})
	if err != nil {
		return nil, err
	}
	return conn, conn.SetDeadline(time.Now().Add(patience))
}

func TestQuietWithoutIPv6(t *testing.T) {
	l := newLab(t, "lab-quiet")
	a, _ := newPair(t, l)
	const key = "/proc/sys/net/ipv6/conf/eth0/disable_ipv6"
	try(t, a.Do(func() error {
		value, err := os.ReadFile(key)
		if os.IsNotExist(err) {
			return nil
		}
		if string(value) != "1\n" {
			t.Errorf("%s is %q, want 1", key, value)
		}
		return err
	}))
}
