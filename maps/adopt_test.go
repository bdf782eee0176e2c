// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"maps"
	"slices"
	"testing"

	"github.com/weir-lb/weir/bpf"
)

func stateOf(t *testing.T, m *bpf.WeirMaps, row uint16) bpf.WeirElementState {
	t.Helper()
	return bpf.WeirElementState(lookup[bpf.WeirElement](t, m.Elements, uint32(row)).State)
}

// rowsOf lists the service's rows and whose they are.
func rowsOf(s *Steering, service Service) map[uint16]uint32 {
	rows := map[uint16]uint32{}
	for _, row := range s.Rows(service) {
		rows[row.Index] = row.PE
	}
	return rows
}

func wantRows(t *testing.T, s *Steering, service Service, want map[uint16]uint32) {
	t.Helper()
	if got := rowsOf(s, service); !maps.Equal(got, want) {
		t.Errorf("%s: elements by row %v, want %v", service, got, want)
	}
}

// Flows name their element by its row alone: it stays who it was until nobody names it any more.
func TestRetiredRowIsNotUsedBeforeItIsReleased(t *testing.T) {
	m := newMaps(t)
	s := open(t, m, web())
	must(t, s.Apply(web(), []Element{element(1, "10.0.0.1:80")}))
	was := lookup[bpf.WeirElement](t, m.Elements, uint32(1))
	must(t, s.Apply(web(), nil))
	want := was
	want.State = uint8(bpf.WeirElementStateELEMENT_FREE)
	if e := lookup[bpf.WeirElement](t, m.Elements, uint32(1)); e != want {
		t.Errorf("row of an element that is gone: %+v, want %+v", e, want)
	}
	if hasEndpoint(t, m, Service{addr("10.0.0.1:80"), TCP}, true) {
		t.Error("its answers are still looked for")
	}
	must(t, s.Apply(web(), []Element{element(2, "10.0.0.2:80")}))
	wantRows(t, s, web(), map[uint16]uint32{2: 2})
	if got := s.Retired(); !maps.Equal(got, map[uint16]bool{1: true}) {
		t.Errorf("retired %v, want row 1", got)
	}

	must(t, s.Release(map[uint16]bool{2: true, 3: true})) // which are not retired
	must(t, s.Release(s.Retired()))
	if e := lookup[bpf.WeirElement](t, m.Elements, uint32(1)); e != (bpf.WeirElement{}) {
		t.Errorf("released row: %+v", e)
	}
	if state := stateOf(t, m, 2); state != bpf.WeirElementStateELEMENT_ACTIVE {
		t.Errorf("row 2 was not retired, and has state %d", state)
	}
	must(t, s.Apply(web(), []Element{element(2, "10.0.0.2:80"), element(3, "10.0.0.3:80")}))
	wantRows(t, s, web(), map[uint16]uint32{2: 2, 1: 3})
}

// An element that comes back before its flows are gone has another row: theirs is not for new ones.
func TestElementThatComesBackHasAnotherRow(t *testing.T) {
	m := newMaps(t)
	s := open(t, m, web())
	must(t, s.Apply(web(), []Element{element(1, "10.0.0.1:80")}))
	must(t, s.Apply(web(), nil))
	must(t, s.Apply(web(), []Element{element(1, "10.0.0.1:80")}))
	wantRows(t, s, web(), map[uint16]uint32{2: 1})
	if !hasEndpoint(t, m, Service{addr("10.0.0.1:80"), TCP}, true) {
		t.Error("its answers are not looked for")
	}
}

// Several rows may be of one server. What it answers is looked for until the last is gone, after a restart too.
func TestServerOfSeveralServices(t *testing.T) {
	m := newMaps(t)
	other := Service{addr("10.0.100.2:80"), TCP}
	at, from := []Element{element(1, "10.0.0.1:80")}, Service{addr("10.0.0.1:80"), TCP}
	for _, restart := range []bool{false, true} {
		s := open(t, m, web(), other)
		must(t, s.Apply(web(), at))
		must(t, s.Apply(other, at))
		if restart {
			s = open(t, m, web(), other)
		}
		must(t, s.Apply(web(), nil))
		if !hasEndpoint(t, m, from, true) {
			t.Errorf("restart %t: one service of two lost it, and its answers are not looked for", restart)
		}
		must(t, s.Apply(other, nil))
		if hasEndpoint(t, m, from, true) {
			t.Errorf("restart %t: both services lost it, and its answers are looked for", restart)
		}
	}
}

func TestReopenedKeepsRows(t *testing.T) {
	m := newMaps(t)
	s := open(t, m, web(), dns())
	must(t, s.Configure(dns(), Options{Mode: DSR, Fragments: DropFragments}))
	must(t, s.Apply(web(), []Element{element(1, "10.0.0.1:80"), element(2, "10.0.0.2:80")}))
	must(t, s.Apply(web(), []Element{element(2, "10.0.0.2:80")}))
	must(t, s.Apply(dns(), []Element{element(3, "10.0.0.3:53")}))
	webRows, dnsRows, tableBefore := s.Rows(web()), s.Rows(dns()), tableID(t, m, rowOf(t, m, web()))
	endpointsBefore := reader(t, m)
	webRow, webBefore := service(t, m, web())
	dnsRow, dnsBefore := service(t, m, dns())

	again := open(t, m, dns(), web())
	if !slices.Equal(again.Rows(web()), webRows) || !slices.Equal(again.Rows(dns()), dnsRows) {
		t.Errorf("rows %v and %v, want %v and %v", again.Rows(web()), again.Rows(dns()), webRows, dnsRows)
	}
	if tableID(t, m, rowOf(t, m, web())) != tableBefore {
		t.Error("opening swapped a table")
	}
	if !slices.Equal(reader(t, m), endpointsBefore) {
		t.Error("opening changed endpoints")
	}
	if row, is := service(t, m, web()); row != webRow || is != webBefore {
		t.Errorf("opening made %+v of %+v", is, webBefore)
	}
	if row, is := service(t, m, dns()); row != dnsRow || is != dnsBefore {
		t.Errorf("opening made %+v of %+v", is, dnsBefore)
	}
	// Row 1 was that of web's first element. Flows may name it: the agent before had not released it.
	if got := again.Retired(); !maps.Equal(got, map[uint16]bool{1: true}) {
		t.Errorf("retired %v, want row 1", got)
	}
	must(t, again.Apply(web(), []Element{element(2, "10.0.0.2:80"), element(4, "10.0.0.4:80")}))
	wantRows(t, again, web(), map[uint16]uint32{2: 2, 4: 4})
	must(t, again.Release(again.Retired()))
	must(t, open(t, m, web(), dns()).Apply(dns(), []Element{element(3, "10.0.0.3:53"), element(5, "10.0.0.5:53")}))
	if pe := lookup[bpf.WeirElement](t, m.Elements, uint32(1)).Pe; pe != 5 {
		t.Errorf("row 1 is that of element %d, want 5: it was released before the restart", pe)
	}
}

func TestServiceThatIsRemoved(t *testing.T) {
	m := newMaps(t)
	s := open(t, m, web(), dns())
	place := rowOf(t, m, web())
	must(t, s.Configure(web(), Options{Mode: DSR}))
	must(t, s.Apply(web(), []Element{element(1, "10.0.0.1:80")}))
	must(t, s.Apply(dns(), []Element{element(2, "10.0.0.2:53")}))
	again := open(t, m, dns())
	if hasEndpoint(t, m, web(), false) || hasEndpoint(t, m, Service{addr("10.0.0.1:80"), TCP}, true) {
		t.Error("its endpoint or its element's is there")
	}
	if is := lookup[bpf.WeirService](t, m.Services, uint32(place)); is != (bpf.WeirService{}) {
		t.Errorf("its row: %+v", is)
	}
	if state := stateOf(t, m, 1); state != bpf.WeirElementStateELEMENT_FREE || !again.Retired()[1] {
		t.Errorf("its element's row has state %d; retired %v", state, again.Retired())
	}
	if rows := again.Rows(dns()); len(rows) != 1 || !hasEndpoint(t, m, Service{addr("10.0.0.2:53"), UDP}, true) {
		t.Errorf("the other service's rows: %v", rows)
	}
	// Its place goes to the next one, with an empty table and nothing of its options.
	ntp := Service{VIP: addr("10.0.100.1:123"), Protocol: UDP}
	next := open(t, m, dns(), ntp)
	row, is := service(t, m, ntp)
	if row != place || sizes(table(t, m, row))[0] != SelectionSlots || Mode(is.Mode) != NAT {
		t.Errorf("new service in row %d: %+v, with table sizes %v", row, is, sizes(table(t, m, row)))
	}
	wantRows(t, next, ntp, map[uint16]uint32{})
}

// An agent that was killed may leave anything undone: the next one goes by the rows.
func TestEndpointsFollowFromTheRows(t *testing.T) {
	m := newMaps(t)
	s := open(t, m, web())
	must(t, s.Apply(web(), []Element{element(1, "10.0.0.1:80")}))
	stray := []struct {
		at      Service
		kind    uint8
		row     uint16
		answers bool
	}{
		{dns(), serviced, 7, false},
		{web6(), guarded, 3, false},
		{Service{addr("10.0.0.9:80"), TCP}, server, 0, true},
	}
	table, err := openEndpoints(m)
	must(t, err)
	for _, e := range stray {
		must(t, table.put(table.endpoint(e.at, e.kind, e.row)))
	}
	table.remove(table.endpoint(web(), serviced, rowOf(t, m, web())))
	table.remove(table.endpoint(Service{addr("10.0.0.1:80"), TCP}, server, 0))
	must(t, table.Close())

	open(t, m, web())
	for _, e := range stray {
		if hasEndpoint(t, m, e.at, e.answers) {
			t.Errorf("%s is there without a row", e.at)
		}
	}
	if !hasEndpoint(t, m, web(), false) || !hasEndpoint(t, m, Service{addr("10.0.0.1:80"), TCP}, true) {
		t.Error("the service or its element has no endpoint")
	}
}

// The row of a service that went may be the guard's by now: its elements are nobody's.
func TestElementsOfGuardedRowAreRetired(t *testing.T) {
	m := newMaps(t)
	s := open(t, m, web())
	must(t, s.Apply(web(), []Element{element(1, "10.0.0.1:80")}))
	row := rowOf(t, m, web())
	must(t, writeService(m, row, Service{local(), TCP}, guarded, Options{}))
	if again := open(t, m); !again.Retired()[1] || stateOf(t, m, 1) != bpf.WeirElementStateELEMENT_FREE {
		t.Errorf("retired %v", again.Retired())
	}
}
