// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"errors"
	"fmt"
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
	return s
}

// table is the service's selection as the program would read it.
func table(t *testing.T, m *bpf.WeirMaps, service uint32) []uint32 {
	t.Helper()
	var inner *ebpf.Map
	must(t, m.Selections.Lookup(service, &inner))
	defer inner.Close()
	slots := make([]uint32, SelectionSlots)
	for i := range slots {
		must(t, inner.Lookup(uint32(i), &slots[i]))
	}
	return slots
}

func tableID(t *testing.T, m *bpf.WeirMaps, service uint32) ebpf.MapID {
	t.Helper()
	return ebpf.MapID(lookup[uint32](t, m.Selections, service)) // reading yields the inner map's id
}

func endpoint(s Service) bpf.WeirEndpointKey {
	return bpf.WeirEndpointKey{Addr: be32(s.VIP.Addr()), Port: be16(s.VIP.Port()), Protocol: s.Protocol}
}

// The maps hold addresses and ports as they lie in a packet, most significant byte first.
func TestByteOrder(t *testing.T) {
	m := newMaps(t)
	s := open(t, m, Service{VIP: addr("10.1.2.3:4660"), Protocol: UDP})
	must(t, s.Apply(Service{VIP: addr("10.1.2.3:4660"), Protocol: UDP}, []Element{element(0x01020304, "192.168.9.8:8080")}))
	var key, value []byte
	it := m.Endpoints.Iterate()
	if !it.Next(&key, &value) {
		t.Fatal("no endpoint")
	}
	if want := []byte{10, 1, 2, 3, 0x12, 0x34, 17, 0}; !slices.Equal(key, want) {
		t.Errorf("endpoint %x, want %x", key, want)
	}
	row := lookup[[]byte](t, m.Elements, uint32(1))
	if want := []byte{192, 168, 9, 8, 0x1f, 0x90, 17}; !slices.Equal(row[:7], want) {
		t.Errorf("element row begins with %x, want %x", row[:7], want)
	}
}

func TestServiceNames(t *testing.T) {
	for want, s := range map[string]Service{
		"tcp://10.0.100.1:80": web(), "udp://10.0.100.1:53": dns(), "protocol-132://10.0.100.1:80": {VIP: web().VIP, Protocol: 132},
	} {
		if s.String() != want {
			t.Errorf("got %s, want %s", s, want)
		}
	}
}

func TestNewServiceHasEmptySelection(t *testing.T) {
	m := newMaps(t)
	open(t, m, web(), dns())
	first := lookup[bpf.WeirEndpoint](t, m.Endpoints, endpoint(web()))
	second := lookup[bpf.WeirEndpoint](t, m.Endpoints, endpoint(dns()))
	if first.Service == second.Service {
		t.Errorf("both services have selection %d", first.Service)
	}
	for _, at := range []bpf.WeirEndpoint{first, second} {
		if at.Kind != uint32(bpf.WeirEndpointKindENDPOINT_SERVICE) {
			t.Errorf("endpoint %+v, want a service", at)
		}
		if count := sizes(table(t, m, at.Service)); count[0] != SelectionSlots {
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
	count := sizes(table(t, m, 0))
	for i, row := range s.Rows(web()) {
		e := lookup[bpf.WeirElement](t, m.Elements, row.Index)
		want := bpf.WeirElement{Addr: be32(list[i].Addr.Addr()), Port: be16(8080), Protocol: TCP, State: uint8(list[i].State),
			Pe: list[i].PE, Service: 0, Generation: 1, Weight: list[i].Weight}
		if e != want || row.Element != list[i] || row.Generation != 1 {
			t.Errorf("row %+v holds %+v, want %+v", row, e, want)
		}
		if share := []int{16384, 49153, 0}[i]; count[row.Index] != share {
			t.Errorf("row %d has %d slots, want %d", row.Index, count[row.Index], share)
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
	list := []Element{element(1, "10.0.0.1:80"), element(2, "10.0.0.2:80"), element(3, "10.0.0.3:80")}
	must(t, s.Apply(web(), list))
	before := tableID(t, m, 0)
	// A write to a row that nobody should touch would undo this mark.
	mark := lookup[bpf.WeirElement](t, m.Elements, uint32(2))
	mark.Weight = 77
	must(t, m.Elements.Put(uint32(2), mark))
	for _, again := range [][]Element{list, {list[2], list[0], list[1]}} {
		must(t, s.Apply(web(), again))
		if id := tableID(t, m, 0); id != before {
			t.Errorf("elements in order %v: table %d was swapped for %d", again, before, id)
		}
		if e := lookup[bpf.WeirElement](t, m.Elements, uint32(2)); e != mark {
			t.Errorf("row 2 was written: %+v", e)
		}
	}
	must(t, s.Apply(web(), list[:2]))
	if id := tableID(t, m, 0); id == before {
		t.Error("one element fewer: the table was not swapped")
	}
}

func TestStatesDecideWhoIsInTheTable(t *testing.T) {
	m := newMaps(t)
	s := open(t, m, web())
	for state, want := range map[State]int{Active: SelectionSlots, Away: 0, Draining: 0, Lost: 0} {
		e := element(1, "10.0.0.1:80")
		e.State = state
		must(t, s.Apply(web(), []Element{e}))
		if got := sizes(table(t, m, 0))[1]; got != want {
			t.Errorf("%s: %d slots, want %d", state, got, want)
		}
		if got := lookup[bpf.WeirElement](t, m.Elements, uint32(1)).State; got != uint8(state) {
			t.Errorf("%s: row has state %d", state, got)
		}
	}
}

func TestFreedRowGetsNewGeneration(t *testing.T) {
	m := newMaps(t)
	s := open(t, m, web())
	must(t, s.Apply(web(), []Element{element(1, "10.0.0.1:80")}))
	must(t, s.Apply(web(), nil))
	if e := lookup[bpf.WeirElement](t, m.Elements, uint32(1)); e.State != uint8(bpf.WeirElementStateELEMENT_FREE) {
		t.Errorf("row of an element that is gone: %+v", e)
	}
	must(t, s.Apply(web(), []Element{element(2, "10.0.0.2:80")}))
	if rows := s.Rows(web()); len(rows) != 1 || rows[0].ID() != (RowID{1, 2}) {
		t.Errorf("rows %+v, want row 1 in its second generation", rows)
	}
}

func TestReopenedKeepsRowsAndGenerations(t *testing.T) {
	m := newMaps(t)
	s := open(t, m, web(), dns())
	must(t, s.Apply(web(), []Element{element(1, "10.0.0.1:80"), element(2, "10.0.0.2:80")}))
	must(t, s.Apply(web(), []Element{element(2, "10.0.0.2:80")}))
	must(t, s.Apply(dns(), []Element{element(3, "10.0.0.3:53")}))
	webRows, dnsRows, tableBefore := s.Rows(web()), s.Rows(dns()), tableID(t, m, 0)

	again := open(t, m, dns(), web())
	if !slices.Equal(again.Rows(web()), webRows) || !slices.Equal(again.Rows(dns()), dnsRows) {
		t.Errorf("rows %v and %v, want %v and %v", again.Rows(web()), again.Rows(dns()), webRows, dnsRows)
	}
	if tableID(t, m, 0) != tableBefore {
		t.Error("opening swapped a table")
	}
	// Row 1 was used once by web's first element and once by dns's.
	must(t, again.Apply(dns(), nil))
	must(t, again.Apply(web(), []Element{element(2, "10.0.0.2:80"), element(4, "10.0.0.4:80")}))
	got := map[RowID]uint32{}
	for _, row := range again.Rows(web()) {
		got[row.ID()] = row.PE
	}
	if got[RowID{2, 1}] != 2 || got[RowID{1, 3}] != 4 {
		t.Errorf("rows %v, want element 2 where it was and element 4 in row 1, generation 3", got)
	}
}

func TestServiceThatIsRemoved(t *testing.T) {
	m := newMaps(t)
	s := open(t, m, web(), dns())
	must(t, s.Apply(web(), []Element{element(1, "10.0.0.1:80")}))
	must(t, s.Apply(dns(), []Element{element(2, "10.0.0.2:53")}))
	again := open(t, m, dns())
	var at bpf.WeirEndpoint
	if err := m.Endpoints.Lookup(endpoint(web()), &at); !errors.Is(err, ebpf.ErrKeyNotExist) {
		t.Errorf("its endpoint is there: %+v, %v", at, err)
	}
	if e := lookup[bpf.WeirElement](t, m.Elements, uint32(1)); e.State != uint8(bpf.WeirElementStateELEMENT_FREE) {
		t.Errorf("its element's row: %+v", e)
	}
	if rows := again.Rows(dns()); len(rows) != 1 {
		t.Errorf("the other service's rows: %v", rows)
	}
	// Its place goes to the next one, with an empty table.
	ntp := Service{VIP: addr("10.0.100.1:123"), Protocol: UDP}
	open(t, m, dns(), ntp)
	if at := lookup[bpf.WeirEndpoint](t, m.Endpoints, endpoint(ntp)); at.Service != 0 || sizes(table(t, m, 0))[0] != SelectionSlots {
		t.Errorf("new service at %+v, with table sizes %v", at, sizes(table(t, m, 0)))
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
	if rows, count := s.Rows(web()), sizes(table(t, m, 0)); len(rows) != testRows-1 || count[0] != 0 || len(count) != testRows-1 {
		t.Errorf("%d rows and %d rows in the table, want %d", len(rows), len(count), testRows-1)
	}
	// A row is freed last, so that its place is there for the next call.
	if err := s.Apply(web(), list[1:]); !errors.Is(err, ErrFull) {
		t.Errorf("the first left and the last came in one call: %v", err)
	}
	must(t, s.Apply(web(), list[1:]))
}

func TestServicesWithoutRoom(t *testing.T) {
	m := *newMaps(t)
	var err error
	m.Selections, err = ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.ArrayOfMaps, KeySize: 4, ValueSize: 4, MaxEntries: 1,
		InnerMap: &ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 4, MaxEntries: SelectionSlots, Flags: bpfMmapable}})
	must(t, err)
	defer m.Selections.Close()
	_, err = OpenSteering(&m, []Service{web(), dns()})
	if !errors.Is(err, ErrFull) || err.Error() != "add service udp://10.0.100.1:53: no room left in the kernel's tables" {
		t.Errorf("one service too many: %v", err)
	}
}

// A new element must be there before a slot names it, and an old one until no slot does. Whatever
// is read in between Apply's steps, every slot's row must be in use.
func TestSlotNeverNamesMissingElement(t *testing.T) {
	m := newMaps(t)
	s := open(t, m, web())
	must(t, s.Apply(web(), []Element{element(1, "10.0.0.1:80")}))
	done := make(chan struct{})
	result := make(chan error, 1)
	go func() {
		result <- watchSlot(m, done)
	}()
	for i := range uint32(30) {
		must(t, s.Apply(web(), []Element{element(i, fmt.Sprintf("10.0.1.%d:80", i+1))}))
	}
	close(done)
	must(t, <-result)
}

// watchSlot reads slot 0 and its row like the program does. A table may be swapped, and a row
// freed, between the two reads; only if the same table is still there was the row missing.
func watchSlot(m *bpf.WeirMaps, done <-chan struct{}) error {
	for {
		select {
		case <-done:
			return nil
		default:
		}
		before, slot, err := readSlot(m)
		if errors.Is(err, os.ErrNotExist) { // swapped before it could be opened
			continue
		}
		if err != nil {
			return err
		}
		var row bpf.WeirElement
		if err := m.Elements.Lookup(slot, &row); err != nil {
			return err
		}
		var after uint32
		if err := m.Selections.Lookup(uint32(0), &after); err != nil {
			return err
		}
		if before == after && row.State == uint8(bpf.WeirElementStateELEMENT_FREE) {
			return fmt.Errorf("slot names row %d, which holds %+v", slot, row)
		}
	}
}

// readSlot gives the table's id and what its slot 0 holds.
func readSlot(m *bpf.WeirMaps) (id, slot uint32, err error) {
	if err := m.Selections.Lookup(uint32(0), &id); err != nil {
		return 0, 0, err
	}
	inner, err := ebpf.NewMapFromID(ebpf.MapID(id))
	if err != nil {
		return 0, 0, err
	}
	defer inner.Close()
	return id, slot, inner.Lookup(uint32(0), &slot)
}
