// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"cmp"
	"fmt"

	"github.com/weir-lb/weir/bpf"
)

// Mode is how a service's packets reach its elements.
type Mode uint8

const (
	NAT  = Mode(bpf.WeirModeMODE_NAT)  // destination rewritten, the way back is by the gateway
	DSR  = Mode(bpf.WeirModeMODE_DSR)  // unchanged, to the element's layer 2 address; it answers by itself
	IPIP = Mode(bpf.WeirModeMODE_IPIP) // unchanged, in an IP packet to the element; it answers by itself
	GUE  = Mode(bpf.WeirModeMODE_GUE)  // the same in UDP
)

// GUEPort is where GUE goes if nothing else is said (IANA).
const GUEPort = 6080

// Tunnels says whether the mode puts packets into others, so that an element's address need not be of
// the service's family.
func (m Mode) Tunnels() bool { return m == IPIP || m == GUE }

// KeepsPort says whether packets reach an element at the service's own port.
func (m Mode) KeepsPort() bool { return m != NAT }

func (m Mode) String() string {
	switch m {
	case NAT:
		return "nat"
	case DSR:
		return "dsr"
	case IPIP:
		return "ipip"
	case GUE:
		return "gue"
	}
	return fmt.Sprintf("mode-%d", uint8(m))
}

// Options are how a service is served; the zero value is NAT.
type Options struct {
	Mode       Mode
	TunnelPort uint16 // GUE: the UDP port at the elements; 0: GUEPort
}

// tunnelPort is what the rows hold.
func (o Options) tunnelPort() uint16 {
	if o.Mode != GUE {
		return 0
	}
	return be16(cmp.Or(o.TunnelPort, GUEPort))
}

// Configure changes how a service is served, for the packets from now on.
func (s *Steering) Configure(service Service, o Options) error {
	id, ok := s.services[service]
	if !ok {
		return fmt.Errorf("configure %s: not a service", service)
	}
	was := s.options[id]
	if was == o {
		return nil
	}
	s.options[id] = o
	if err := s.writeOptions(service, id); err != nil {
		s.options[id] = was // so that the same again tries again
		return err
	}
	return nil
}

// writeOptions writes the rows of the service and of its elements as they are to be.
func (s *Steering) writeOptions(service Service, id uint16) error {
	if err := writeService(s.maps, id, service, serviced, s.options[id]); err != nil {
		return err
	}
	for key, row := range s.rows {
		if key.service != id {
			continue
		}
		if err := s.writeRow(service, id, row, uint8(row.State)); err != nil {
			return err
		}
	}
	return nil
}
