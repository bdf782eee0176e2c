// SPDX-License-Identifier: Apache-2.0

package receive

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/weir-lb/weir/test/lab"
	"github.com/weir-lb/weir/test/require"
)

// host is a namespace with one interface, 10.0.20.1 and fd20::1.
type host struct {
	*testing.T
	node *lab.Node
	far  *lab.Node // at the other end of its link
	log  bytes.Buffer
}

func newHost(t *testing.T) *host {
	t.Helper()
	require.Need(t, require.Root, require.BPF, require.NetNS)
	network, err := lab.New("receive", slog.New(slog.DiscardHandler))
	must(t, err)
	t.Cleanup(func() { must(t, network.Close()) })
	h := &host{T: t}
	h.node, err = network.Node("server")
	must(t, err)
	h.far, err = network.Node("far")
	must(t, err)
	must(t, network.Link(lab.End{Node: h.node, Name: "eth0", Addr: netip.MustParsePrefix("10.0.20.1/24")},
		lab.End{Node: h.far, Name: "eth0", Addr: netip.MustParsePrefix("10.0.20.2/24")}))
	must(t, h.node.Sysctl("net.ipv6.conf.eth0.disable_ipv6", "0"))
	must(t, h.node.AddAddr("eth0", netip.MustParsePrefix("fd20::1/64")))
	return h
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (h *host) config(mode Mode, vips ...string) Config {
	c := Config{Mode: mode, At: []netip.Addr{netip.MustParseAddr("10.0.20.1")}, GUEPort: 6080, Log: slog.New(slog.NewTextHandler(&h.log, nil))}
	for _, v := range vips {
		c.VIPs = append(c.VIPs, netip.MustParseAddr(v))
	}
	return c
}

func (h *host) open(c Config) (r *Receiver, err error) {
	must(h.T, h.node.Do(func() error { r, err = Open(c); return nil }))
	return r, err
}

func (h *host) close(r *Receiver) {
	h.Helper()
	must(h.T, h.node.Do(r.Close))
}

// state is all that a receiver changes, a line a thing.
func (h *host) state() string {
	h.Helper()
	var lines []string
	must(h.T, h.node.Do(func() error {
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		addrs, err := netlink.AddrList(lo, netlink.FAMILY_ALL)
		for _, a := range addrs {
			if !a.IP.IsLoopback() {
				lines = append(lines, fmt.Sprintf("lo %s scope %d", a.IPNet, a.Scope))
			}
		}
		if err != nil {
			return err
		}
		eth0, err := netlink.LinkByName("eth0")
		if err != nil {
			return err
		}
		if xdp := eth0.Attrs().Xdp; xdp != nil && xdp.Attached {
			lines = append(lines, "program")
		}
		for _, name := range []string{"arp_ignore", "arp_announce"} {
			text, err := os.ReadFile(sysctlPath("eth0", name))
			if err != nil {
				return err
			}
			lines = append(lines, name+" "+strings.TrimSpace(string(text)))
		}
		return nil
	}))
	slices.Sort(lines)
	return strings.Join(lines, "; ")
}

func (h *host) wants(what, want string) {
	h.Helper()
	if got := h.state(); got != want {
		h.Errorf("%s: %s, want %s", what, got, want)
	}
}

const (
	quiet   = "arp_announce 2; arp_ignore 1"
	before  = "arp_announce 0; arp_ignore 0"
	vips    = "lo 10.0.100.1/32 scope 254; lo fd00:100::1/128 scope 0"
	foreign = "lo 10.0.100.1/32 scope 0"
)

// All is as it was before, and what the modes need is there meanwhile.
func TestReceiveAndTakeBack(t *testing.T) {
	for mode, want := range map[Mode]string{
		DSR:  quiet + "; " + vips,
		IPIP: quiet + "; " + vips + "; program",
		GUE:  quiet + "; " + vips + "; program",
	} {
		t.Run(string(mode), func(t *testing.T) {
			h := newHost(t)
			h.wants("at first", before)
			r, err := h.open(h.config(mode, "10.0.100.1", "fd00:100::1"))
			must(t, err)
			h.wants("open", want)
			h.close(r)
			h.wants("closed", before)
		})
	}
}

// Others' settings and addresses are used, and stay.
func TestReceiveKeepsWhatWasThere(t *testing.T) {
	h := newHost(t)
	must(t, h.node.AddAddr("lo", netip.MustParsePrefix("10.0.100.1/32")))
	must(t, h.node.Sysctl("net.ipv4.conf.eth0.arp_ignore", "2"))
	must(t, h.node.Sysctl("net.ipv4.conf.all.arp_announce", "2"))
	there := "arp_announce 0; arp_ignore 2; " + foreign
	r, err := h.open(h.config(DSR, "10.0.100.1"))
	must(t, err)
	h.wants("open", there)
	h.close(r)
	h.wants("closed", there)
	if !strings.Contains(h.log.String(), "the VIP is there already") {
		t.Errorf("nobody was told: %s", &h.log)
	}
}

// The VIPs of a process that was killed belong to the next one, or end by themselves.
func TestReceiveAfterAKill(t *testing.T) {
	h := newHost(t)
	must(t, h.node.Do(func() error {
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		for _, vip := range []string{"10.0.100.1", "fd00:100::1"} {
			if err := netlink.AddrAdd(lo, vipAddr(netip.MustParseAddr(vip))); err != nil {
				return err
			}
		}
		addrs, err := netlink.AddrList(lo, netlink.FAMILY_ALL)
		for _, a := range addrs {
			if !a.IP.IsLoopback() && (a.ValidLft <= 0 || a.ValidLft > int(vipLife.Seconds())) {
				t.Errorf("%s lives for %d s", a.IPNet, a.ValidLft)
			}
		}
		return err
	}))
	r, err := h.open(h.config(IPIP, "10.0.100.1", "fd00:100::1"))
	must(t, err)
	h.wants("open", quiet+"; "+vips+"; program")
	h.close(r)
	h.wants("closed", before)
}

// What cannot be leaves nothing behind, and is one sentence.
func TestReceiveFails(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*host, *Config)
		state  string
		want   string
	}{
		{"no such interface", func(_ *host, c *Config) { c.Interface = "eth9" }, before, "no interface eth9 on this host"},
		{"an address of another host", func(_ *host, c *Config) { c.At = []netip.Addr{netip.MustParseAddr("10.0.20.9")} }, before,
			"no interface has the address [10.0.20.9]; name the one that packets come in by with --interface"},
		{"a program is there", func(h *host, _ *Config) { must(h.T, h.node.AttachPass("eth0")) }, before + "; program",
			"attach to eth0: it has an XDP program already; one weir pe receives on an interface, for all VIPs of the host"},
		{"no IPv6", func(h *host, _ *Config) { must(h.T, h.node.Sysctl("net.ipv6.conf.lo.disable_ipv6", "1")) }, before,
			"add fd00:100::1 to the loopback interface: IPv6 is switched off there; run: sysctl -w net.ipv6.conf.lo.disable_ipv6=0"},
		{"no native XDP", func(_ *host, c *Config) { c.Interface = "lo" }, before,
			"attach to lo: its driver has no native XDP, or not with its settings (MTU, LRO, queues)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHost(t)
			c := h.config(IPIP, "10.0.100.1", "fd00:100::1")
			tt.change(h, &c)
			if _, err := h.open(c); err == nil || err.Error() != tt.want {
				t.Errorf("got %v\nwant %s", err, tt.want)
			}
			h.wants("after that", tt.state)
		})
	}
}

// A VIP is no source of what the host begins by itself.
func TestVIPIsNoSource(t *testing.T) {
	h := newHost(t)
	r, err := h.open(h.config(DSR, "10.0.100.1", "fd00:100::1"))
	must(t, err)
	defer h.close(r)
	must(t, h.node.Do(func() error {
		for _, to := range []string{"10.0.20.9", "fd20::9"} {
			routes, err := netlink.RouteGet(net.ParseIP(to))
			if err != nil {
				return err
			}
			if src := routes[0].Src.String(); !slices.Contains([]string{"10.0.20.1", "fd20::1"}, src) {
				t.Errorf("to %s from %s", to, src)
			}
		}
		return nil
	}))
}

// Whoever asks the segment for the VIP must hear the gateway, and not the servers: a question for the VIP is
// not answered, the next one, for the host's own address, is.
func TestVIPIsSilent(t *testing.T) {
	h := newHost(t)
	r, err := h.open(h.config(DSR, "10.0.100.1"))
	must(t, err)
	defer h.close(r)
	asked := h.ask("10.0.100.1", "10.0.20.1")
	if asked != "10.0.20.1" {
		t.Errorf("%s is answered for", asked)
	}
}

// ask sends an ARP request for each address from the far end, and returns the first that is answered for.
func (h *host) ask(addrs ...string) (answered string) {
	h.Helper()
	must(h.T, h.far.Do(func() error {
		device, err := net.InterfaceByName("eth0")
		if err != nil {
			return err
		}
		fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		at := &unix.SockaddrLinklayer{Protocol: htons(unix.ETH_P_ARP), Ifindex: device.Index, Halen: 6, Addr: [8]byte{255, 255, 255, 255, 255, 255}}
		if err := errors.Join(unix.Bind(fd, at), unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 5})); err != nil {
			return err
		}
		for _, a := range addrs {
			if err := unix.Sendto(fd, request(device.HardwareAddr, a), 0, at); err != nil {
				return err
			}
		}
		for {
			var b [64]byte
			if _, _, err := unix.Recvfrom(fd, b[:], 0); err != nil {
				return err
			}
			if b[7] == 2 { // a reply
				answered = netip.AddrFrom4([4]byte(b[14:18])).String()
				return nil
			}
		}
	}))
	return answered
}

func htons(v uint16) uint16 { return v<<8 | v>>8 }

// request asks for an address (RFC 826), from 10.0.20.2.
func request(from net.HardwareAddr, addr string) []byte {
	b := append([]byte{0, 1, 8, 0, 6, 4, 0, 1}, from...)
	b = append(b, 10, 0, 20, 2, 0, 0, 0, 0, 0, 0)
	return append(b, netip.MustParseAddr(addr).AsSlice()...)
}
