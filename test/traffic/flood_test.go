// SPDX-License-Identifier: Apache-2.0

package traffic

import (
	"net"
	"net/netip"
	"testing"

	"github.com/weir-lb/weir/registrar/wire"
	"github.com/weir-lb/weir/test/packet"
)

// A flood whose packets no stack would look at would prove nothing: each must be well formed.
func TestAttemptsAreWellFormed(t *testing.T) {
	own := netip.MustParseAddr("10.0.2.2")
	payload, err := registration(own)
	if err != nil {
		t.Fatal(err)
	}
	iface := &net.Interface{Name: "eth0", HardwareAddr: net.HardwareAddr{2, 0, 0, 0, 0, 3}}
	a := attemptFrom(iface, net.HardwareAddr{2, 0, 0, 0, 0, 4}, own, netip.MustParseAddrPort("10.0.0.1:3864"), payload)
	sources, syns, registrations, spoofed := map[netip.AddrPort]bool{}, 0, 0, 0
	const n = 1000
	for range n {
		frame := a.next()
		if err := packet.Verify(frame); err != nil {
			t.Fatal(err)
		}
		p, err := packet.Decode(frame)
		if err != nil {
			t.Fatal(err)
		}
		if p.Dst.String() != "10.0.0.1:3864" || p.DstMAC.String() != "02:00:00:00:00:04" {
			t.Fatalf("sent to %s at %s", p.Dst, p.DstMAC)
		}
		sources[p.Src] = true
		if p.Src.Addr() != own {
			spoofed++
		}
		if p.Flags == packet.SYN {
			syns++
		}
		if m, err := wire.ParseASAP(p.Payload); err == nil && m.Type() == wire.TypeRegistration {
			registrations++
		}
	}
	if spoofed != n*3/5 || syns != n*3/5 || registrations != n*2/5 {
		t.Errorf("%d spoofed, %d SYNs, %d registrations of %d; want 3, 3 and 2 in 5", spoofed, syns, registrations, n)
	}
	if len(sources) < n*9/10 {
		t.Errorf("%d sources in %d packets, want hardly any twice", len(sources), n)
	}
}
