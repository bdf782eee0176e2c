// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/weir-lb/weir/bpf"
)

func open(t *testing.T, m *bpf.WeirMaps, services ...Service) *Steering {
	t.Helper()
	s, err := OpenSteering(m, services)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

// table is the service's selection of the usual size.
func table(t *testing.T, m *bpf.WeirMaps, row uint16) []uint16 {
	t.Helper()
	if all := tableOf(t, m, row); all != nil {
		return all[:SelectionSlots]
	}
	return make([]uint16, SelectionSlots)
}

// tableOf is all that a table holds, as the program reads it: slot n is the (n mod 4)th of a cell. None: nil.
func tableOf(t *testing.T, m *bpf.WeirMaps, row uint16) []uint16 {
	t.Helper()
	var inner *ebpf.Map
	err := m.Selections.Lookup(uint32(row), &inner)
	if errors.Is(err, ebpf.ErrKeyNotExist) {
		return nil
	}
	must(t, err)
	defer inner.Close()
	slots := make([]uint16, 4*inner.MaxEntries())
	for i := 0; i < len(slots); i += 4 {
		cell := lookup[bpf.WeirSelectionCell](t, inner, uint32(i/4))
		copy(slots[i:], cell.Elements[:])
	}
	return slots
}

func tableID(t *testing.T, m *bpf.WeirMaps, row uint16) ebpf.MapID {
	t.Helper()
	return ebpf.MapID(lookup[uint32](t, m.Selections, uint32(row))) // reading yields the inner map's id
}

// rowOf is the row of services that a packet to this service finds.
func rowOf(t *testing.T, m *bpf.WeirMaps, at Service) uint16 {
	t.Helper()
	row, _ := service(t, m, at)
	return row
}

// The maps hold addresses and ports as they lie in a packet, most significant byte first.
func TestByteOrder(t *testing.T) {
	for _, tt := range []struct {
		name, vip, element string
		service, row       []byte
	}{
		{
			"IPv4", "10.1.2.3:4660", "192.168.9.8:8080",
			[]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 1, 2, 3, 0x12, 0x34, 17, 2},
			[]byte{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 168, 9, 8, 0x1f, 0x90, 17, 4},
		},
		{
			"IPv6", "[2001:db8:1:2:3:4:5:6]:4660", "[fd00::9:8]:8080",
			[]byte{0x20, 1, 0xd, 0xb8, 0, 1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0x12, 0x34, 17, 2},
			[]byte{0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 8, 0x1f, 0x90, 17, 4},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newMaps(t)
			at := Service{VIP: addr(tt.vip), Protocol: UDP}
			s := open(t, m, at)
			must(t, s.Apply(at, []Element{element(0x01020304, tt.element)}))
			if got := lookup[[]byte](t, m.Services, uint32(rowOf(t, m, at))); !slices.Equal(got[:20], tt.service) {
				t.Errorf("service row begins with %x, want %x", got[:20], tt.service)
			}
			if got := lookup[[]byte](t, m.Elements, uint32(1)); !slices.Equal(got[:20], tt.row) {
				t.Errorf("element row begins with %x, want %x", got[:20], tt.row)
			}
			if got := fromAddress(address(at.VIP.Addr())); got != at.VIP.Addr() {
				t.Errorf("%s comes back as %s", at.VIP.Addr(), got)
			}
			// Whoever writes an IPv4 address the long way means the same service.
			long := Service{netip.AddrPortFrom(netip.AddrFrom16(at.VIP.Addr().As16()), at.VIP.Port()), UDP}
			if address(long.VIP.Addr()) != address(at.VIP.Addr()) || !hasEndpoint(t, m, long, false) {
				t.Errorf("%s is not %s", long, at)
			}
		})
	}
}

func TestServiceNames(t *testing.T) {
	for want, s := range map[string]Service{
		"tcp://10.0.100.1:80": web(), "udp://10.0.100.1:53": dns(), "sctp://10.0.100.1:80": {VIP: web().VIP, Protocol: 132},
		"udp-lite://10.0.100.1:80": {VIP: web().VIP, Protocol: 136}, "dccp://10.0.100.1:80": {VIP: web().VIP, Protocol: 33},
		"protocol-47://10.0.100.1:80": {VIP: web().VIP, Protocol: 47},
	} {
		if s.String() != want {
			t.Errorf("got %s, want %s", s, want)
		}
	}
}

func TestNewServiceHasEmptySelection(t *testing.T) {
	m := newMaps(t)
	all := []Service{web(), dns(), web6()}
	open(t, m, all...)
	seen := map[uint16]bool{0: true} // which is no service's
	for _, at := range all {
		row, s := service(t, m, at)
		if seen[row] {
			t.Errorf("%s has row %d", at, row)
		}
		seen[row] = true
		want := bpf.WeirService{Addr: address(at.VIP.Addr()), Port: be16(at.VIP.Port()), Protocol: at.Protocol, Kind: 2, Slots: SelectionSlots}
		if s != want {
			t.Errorf("%s: row %+v, want %+v", at, s, want)
		}
		if count := sizes(table(t, m, row)); count[0] != SelectionSlots {
			t.Errorf("%d of %d slots are empty, want all", count[0], SelectionSlots)
		}
	}
}

func TestApplyWritesRowsAndTable(t *testing.T) {
	m := newMaps(t)
	s := open(t, m, web())
	list := []Element{element(7, "10.0.0.1:8080"), element(8, "10.0.0.2:8080"), element(9, "10.0.0.3:8080")}
	list[1].Weight, list[2].State = 3, Draining
	must(t, s.Apply(web(), list))
	id := rowOf(t, m, web())
	count := sizes(table(t, m, id))
	for i, row := range s.Rows(web()) {
		e := lookup[bpf.WeirElement](t, m.Elements, uint32(row.Index))
		want := bpf.WeirElement{Addr: address(list[i].Addr.Addr()), Port: be16(8080), Protocol: TCP, State: uint8(list[i].State),
			Pe: list[i].PE, Service: id, Weight: list[i].Weight}
		if e != want || row.Element != list[i] {
			t.Errorf("row %+v holds %+v, want %+v", row, e, want)
		}
		if share := []int{16385, 49152, 0}[i]; count[row.Index] != share {
			t.Errorf("row %d has %d slots, want %d", row.Index, count[row.Index], share)
		}
		if !hasEndpoint(t, m, Service{list[i].Addr, TCP}, true) || hasEndpoint(t, m, Service{list[i].Addr, UDP}, true) {
			t.Errorf("%s: the flows of its answers are not looked for, or those of another protocol are", row.Addr)
		}
	}
	if rows := s.Rows(dns()); rows != nil {
		t.Errorf("rows %v of a service that is not one", rows)
	}
	if err := s.Apply(dns(), nil); err == nil || err.Error() != "apply to udp://10.0.100.1:53: not a service" {
		t.Errorf("applied to a service that is not one: %v", err)
	}
}

func TestApplyTwiceWritesNothing(t *testing.T) {
	m := newMaps(t)
	s := open(t, m, web())
	id := rowOf(t, m, web())
	list := []Element{element(1, "10.0.0.1:80"), element(2, "10.0.0.2:80"), element(3, "10.0.0.3:80")}
	must(t, s.Apply(web(), list))
	before := tableID(t, m, id)
	// A write to a row that nobody should touch would undo this mark.
	mark := lookup[bpf.WeirElement](t, m.Elements, uint32(2))
	mark.Weight = 77
	must(t, m.Elements.Put(uint32(2), mark))
	for _, again := range [][]Element{list, {list[2], list[0], list[1]}} {
		must(t, s.Apply(web(), again))
		if now := tableID(t, m, id); now != before {
			t.Errorf("elements in order %v: table %d was swapped for %d", again, before, now)
		}
		if e := lookup[bpf.WeirElement](t, m.Elements, uint32(2)); e != mark {
			t.Errorf("row 2 was written: %+v", e)
		}
	}
	must(t, s.Apply(web(), list[:2]))
	if tableID(t, m, id) == before {
		t.Error("one element fewer: the table was not swapped")
	}
}

func TestStatesDecideWhoIsInTheTable(t *testing.T) {
	m := newMaps(t)
	s := open(t, m, web())
	id := rowOf(t, m, web())
	for state, want := range map[State]int{Active: SelectionSlots, Away: 0, Draining: 0, Lost: 0} {
		e := element(1, "10.0.0.1:80")
		e.State = state
		must(t, s.Apply(web(), []Element{e}))
		if got := sizes(table(t, m, id))[1]; got != want {
			t.Errorf("%s: %d slots, want %d", state, got, want)
		}
		if got := lookup[bpf.WeirElement](t, m.Elements, uint32(1)).State; got != uint8(state) {
			t.Errorf("%s: row has state %d", state, got)
		}
	}
}

func TestElementsWithoutRoom(t *testing.T) {
	m := newMaps(t)
	s := open(t, m, web())
	var list []Element
	for i := range testRows {
		list = append(list, element(uint32(i), fmt.Sprintf("10.0.0.%d:80", i+1)))
	}
	err := s.Apply(web(), list)
	if !errors.Is(err, ErrFull) || err.Error() != "add element 10.0.0.16:80: no room left in the kernel's tables" {
		t.Errorf("one element too many: %v", err)
	}
	rows, count := s.Rows(web()), sizes(table(t, m, rowOf(t, m, web())))
	if len(rows) != testRows-1 || count[0] != 0 || len(count) != testRows-1 {
		t.Errorf("%d rows and %d rows in the table, want %d", len(rows), len(count), testRows-1)
	}
	// A row whose element goes is no place for another one before its flows are gone.
	for range 2 {
		if err := s.Apply(web(), list[1:]); !errors.Is(err, ErrFull) {
			t.Errorf("the first left and the last came: %v", err)
		}
	}
	must(t, s.Release(s.Retired()))
	must(t, s.Apply(web(), list[1:]))
}

func TestServicesWithoutRoom(t *testing.T) {
	m := newMaps(t)
	var list []Service
	for i := range testServices {
		list = append(list, Service{netip.AddrPortFrom(web().VIP.Addr(), uint16(i+1)), TCP})
	}
	_, err := OpenSteering(m, list)
	if !errors.Is(err, ErrFull) || err.Error() != "add service tcp://10.0.100.1:12: no room left in the kernel's tables" {
		t.Errorf("one service too many: %v", err)
	}
	open(t, m, list[1:]...)
}

// A new element must be there before a slot names it, and an old one until no slot does. Whatever
// is read in between Apply's steps, every slot's row must be in use.
func TestSlotNeverNamesMissingElement(t *testing.T) {
	m := newMaps(t)
	s := open(t, m, web())
	must(t, s.Apply(web(), []Element{element(1, "10.0.0.1:80")}))
	done := make(chan struct{})
	result := make(chan error, 1)
	id := uint32(rowOf(t, m, web()))
	go func() {
		result <- watchSlot(m, id, done)
	}()
	for i := range uint32(30) {
		must(t, s.Apply(web(), []Element{element(i, fmt.Sprintf("10.0.1.%d:80", i+1))}))
		must(t, s.Release(s.Retired()))
	}
	close(done)
	must(t, <-result)
}

// watchSlot reads slot 0 and its row like the program does. A table may be swapped, and a row
// freed, between the two reads; only if the same table is still there was the row missing.
func watchSlot(m *bpf.WeirMaps, id uint32, done <-chan struct{}) error {
	for {
		select {
		case <-done:
			return nil
		default:
		}
		before, slot, err := readSlot(m, id)
		if errors.Is(err, os.ErrNotExist) { // swapped before it could be opened
			continue
		}
		if err != nil {
			return err
		}
		var row bpf.WeirElement
		if err := m.Elements.Lookup(uint32(slot), &row); err != nil {
			return err
		}
		var after uint32
		if err := m.Selections.Lookup(id, &after); err != nil {
			return err
		}
		if before == after && row.State == uint8(bpf.WeirElementStateELEMENT_FREE) {
			return fmt.Errorf("slot names row %d, which holds %+v", slot, row)
		}
	}
}

// readSlot gives the table's id and what its slot 0 holds.
func readSlot(m *bpf.WeirMaps, row uint32) (id uint32, slot uint16, err error) {
	if err := m.Selections.Lookup(row, &id); err != nil {
		return 0, 0, err
	}
	inner, err := ebpf.NewMapFromID(ebpf.MapID(id))
	if err != nil {
		return 0, 0, err
	}
	defer inner.Close()
	var cell bpf.WeirSelectionCell
	err = inner.Lookup(uint32(0), &cell)
	return id, cell.Elements[0], err
}
