// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"fmt"
	"net/netip"

	"github.com/weir-lb/weir/bpf"
)

// TunnelSources are addresses of this host that tunnels come from, one a family. Of a family without
// one nothing is sent.
type TunnelSources struct {
	V4, V6 netip.Addr
}

// ReadTunnelSources tells what is set.
func ReadTunnelSources(m *bpf.WeirMaps) (s TunnelSources, err error) {
	p, err := readSettings(m)
	if err != nil {
		return s, err
	}
	if p.TunnelV4 != 0 {
		s.V4 = fromWord(p.TunnelV4)
	}
	if p.TunnelV6 != (bpf.WeirAddress{}) {
		s.V6 = fromAddress(p.TunnelV6)
	}
	return s, nil
}

// WriteTunnelSources sets them for the packets from now on.
func WriteTunnelSources(m *bpf.WeirMaps, s TunnelSources) error {
	p, err := readSettings(m)
	if err != nil {
		return err
	}
	p.TunnelV4, p.TunnelV6 = 0, bpf.WeirAddress{}
	if s.V4.Is4() {
		p.TunnelV4 = word(s.V4)
	}
	if s.V6.Is6() {
		p.TunnelV6 = address(s.V6)
	}
	if err := m.Settings.Put(uint32(0), p); err != nil {
		return fmt.Errorf("write the tunnels' sources: %w", err)
	}
	return nil
}
