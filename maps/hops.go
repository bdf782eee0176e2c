// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/cilium/ebpf"

	"github.com/weir-lb/weir/bpf"
)

// Hop is where a packet goes next: out of which interface, in a frame from and to whom, and how large
// it may be. The zero value says that the kernel is to be asked, for each packet.
type Hop struct {
	Interface uint32 // its index
	To, From  [6]byte
	MTU       uint16
	Router    bool // To is a router's, and not of the address itself
}

// Uplink is the way to the clients of a prefix.
type Uplink struct {
	Prefix netip.Prefix
	Hop    Hop
}

// MaxUplinks is how many ways to clients there are of each family.
const MaxUplinks = len(bpf.WeirUplinks{}.V4)

// hop is h as it lies in the maps.
func (h Hop) hop() bpf.WeirHop {
	hop := bpf.WeirHop{Ifindex: h.Interface, Dmac: h.To, Smac: h.From, Mtu: h.MTU}
	if h.Router {
		hop.Router = 1
	}
	return hop
}

// SetHops tells by which next hops packets reach elements at these addresses; by the kernel's if an address
// is not among them. They count as long as those of the Uplinks do.
func (s *Steering) SetHops(hops map[netip.Addr]Hop) error {
	var errs []error
	old := s.hops
	s.hops = hops
	for _, row := range s.rows {
		if addr := row.Addr.Addr(); hops[addr] != old[addr] {
			errs = append(errs, writeHop(s.maps, row.Index, hops[addr]))
		}
	}
	return errors.Join(errs...)
}

// writeHop changes a row's hop. A packet reads a row as it is written, eight bytes at a time; so that none
// goes out of one hop's interface to another hop's address, the old one ends first, and the new one begins
// when all of it is there.
func writeHop(m *bpf.WeirMaps, index uint16, h Hop) error {
	var row bpf.WeirElement
	if err := m.Elements.Lookup(uint32(index), &row); err != nil {
		return fmt.Errorf("read element row %d: %w", index, err)
	}
	ended, begun := row.Hop, h.hop()
	if ended == begun {
		return nil
	}
	ended.Ifindex, begun.Ifindex = 0, 0
	for _, step := range []bpf.WeirHop{ended, begun, h.hop()} {
		row.Hop = step
		if err := m.Elements.Put(uint32(index), row); err != nil {
			return fmt.Errorf("write the next hop of element row %d: %w", index, err)
		}
	}
	return nil
}

// Uplinks writes the ways to the clients, and how long these and the elements' hops count: they end by
// themselves soon after whoever renews them is gone. It is for one goroutine.
type Uplinks struct {
	at    *ebpf.Map
	clock Clock
	row   bpf.WeirUplinks
}

// OpenUplinks ends all hops that an earlier agent left.
func OpenUplinks(m *bpf.WeirMaps, clock Clock) (*Uplinks, error) {
	u := &Uplinks{at: m.Uplinks, clock: clock}
	return u, u.End()
}

// Set tells the ways to the clients: at most MaxUplinks of a family, of which a client's is the first whose
// prefix it is in; the kernel is asked for those that are in none. No hop counts until Renew.
func (u *Uplinks) Set(v4, v6 []Uplink) error {
	if len(v4) > MaxUplinks || len(v6) > MaxUplinks {
		return fmt.Errorf("set the ways to clients: %d for IPv4 and %d for IPv6, at most %d each", len(v4), len(v6), MaxUplinks)
	}
	if err := u.End(); err != nil {
		return err
	}
	u.row = bpf.WeirUplinks{Until: u.row.Until}
	for i, up := range v4 {
		at := &u.row.V4[i]
		at.Prefix, at.Mask, at.Hop = address(up.Prefix.Addr()), mask(up.Prefix), up.Hop.hop()
		at.Prefix.Half[0], at.Prefix.Half[1] = 0, at.Prefix.Half[1]&at.Mask.Half[1]
	}
	for i, up := range v6 {
		at := &u.row.V6[i]
		at.Prefix, at.Mask, at.Hop = address(up.Prefix.Masked().Addr()), mask(up.Prefix), up.Hop.hop()
	}
	return u.write()
}

// mask is the bits of a prefix that count; of an IPv4 prefix none of those before the address.
func mask(p netip.Prefix) bpf.WeirAddress {
	var b [16]byte
	end := len(b) - p.Addr().BitLen()/8
	for bit := range p.Bits() {
		b[end+bit/8] |= 0x80 >> (bit % 8)
	}
	return address(netip.AddrFrom16(b))
}

// Renew makes all hops count for so long from now on.
func (u *Uplinks) Renew(lead time.Duration) error {
	now, err := u.clock.now()
	if err != nil {
		return err
	}
	u.row.Until = now + uint32(u.clock.ticks(lead))
	return u.write()
}

// End makes all hops count no longer, from now on.
func (u *Uplinks) End() error {
	now, err := u.clock.now()
	if err != nil {
		return err
	}
	u.row.Until = now - 1
	return u.write()
}

func (u *Uplinks) write() error {
	if err := u.at.Put(uint32(0), u.row); err != nil {
		return fmt.Errorf("write the ways to clients: %w", err)
	}
	return nil
}
