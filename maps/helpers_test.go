// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"net/netip"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/weir-lb/weir/bpf"
	"github.com/weir-lb/weir/test/require"
)

// How large the maps of a test are; row 0 of elements and of services is never used.
const (
	testRows     = 16
	testServices = 12
	testBuckets  = 16
	testPlaces   = 64 // buckets of endpoints
)

// newMaps are the program's maps without the program, small, with their parameters, and gone when the
// test ends.
func newMaps(t *testing.T) *bpf.WeirMaps {
	t.Helper()
	m := newBareMaps(t)
	must(t, WriteParameters(m, testClock(), limits(), testTimeouts()))
	return m
}

// newBareMaps are such without parameters.
func newBareMaps(t *testing.T) *bpf.WeirMaps {
	t.Helper()
	return newMapsOf(t, testBuckets)
}

func newMapsOf(t testing.TB, flowBuckets uint32) *bpf.WeirMaps {
	t.Helper()
	return newMapsSized(t, map[string]uint32{
		"flows": flowBuckets, "flow_clients": flowBuckets, "elements": testRows, "services": testServices, "selections": testServices,
		"endpoints": testPlaces,
	})
}

func newMapsSized(t testing.TB, entries map[string]uint32) *bpf.WeirMaps {
	t.Helper()
	spec := newSpec(t)
	for name, entries := range entries {
		spec.Maps[name].MaxEntries = entries
	}
	var m bpf.WeirMaps
	must(t, spec.LoadAndAssign(&m, nil))
	t.Cleanup(func() { m.Close() })
	return &m
}

func newSpec(t testing.TB) *ebpf.CollectionSpec {
	t.Helper()
	require.Need(t, require.Root, require.BPF)
	spec, err := bpf.LoadWeir()
	must(t, err)
	return spec
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func lookup[V any](t *testing.T, m *ebpf.Map, key any) V {
	t.Helper()
	var v V
	if err := m.Lookup(key, &v); err != nil {
		t.Fatalf("look up %v in %s: %v", key, m, err)
	}
	return v
}

// entries counts what a hash map holds.
func entries(t *testing.T, m *ebpf.Map) int {
	t.Helper()
	var key, value []byte
	n := 0
	it := m.Iterate()
	for it.Next(&key, &value) {
		n++
	}
	must(t, it.Err())
	return n
}

// service is the row of services that a packet to this place finds. It looks as endpoint.h and
// types.h say, through a hash of its own.
func service(t *testing.T, m *bpf.WeirMaps, at Service) (row uint16, is bpf.WeirService) {
	t.Helper()
	e, ok := reader(t, m).find(hashOf(t, m, at), false)
	if !ok {
		t.Fatalf("no endpoint at %s", at)
	}
	return e.Row, lookup[bpf.WeirService](t, m.Services, uint32(e.Row))
}

func hasEndpoint(t *testing.T, m *bpf.WeirMaps, at Service, answers bool) bool {
	t.Helper()
	_, ok := reader(t, m).find(hashOf(t, m, at), answers)
	return ok
}

// endpoints counts what is in the table, by kind.
func endpoints(t *testing.T, m *bpf.WeirMaps) map[bpf.WeirEndpointKind]int {
	t.Helper()
	count := map[bpf.WeirEndpointKind]int{}
	for _, b := range reader(t, m) {
		for _, e := range b.Slots {
			if e.Kind != 0 && e.Row != 0xffff {
				count[bpf.WeirEndpointKind(e.Kind)]++
			}
		}
	}
	return count
}

func hashOf(t *testing.T, m *bpf.WeirMaps, at Service) uint64 {
	t.Helper()
	return modelHash(lookup[bpf.WeirParameters](t, m.Settings, uint32(0)).TupleKey, at.VIP, at.Protocol)
}

// endpointReader is the table as a packet finds it.
type endpointReader []bpf.WeirEndpointBucket

func reader(t *testing.T, m *bpf.WeirMaps) endpointReader {
	t.Helper()
	all := make(endpointReader, m.Endpoints.MaxEntries())
	for i := range all {
		must(t, m.Endpoints.Lookup(uint32(i), &all[i]))
	}
	return all
}

// find is endpoint_find.
func (r endpointReader) find(hash uint64, answers bool) (bpf.WeirEndpointSlot, bool) {
	for probe := range uint64(4) {
		for _, e := range r[(hash>>32+probe)%uint64(len(r))].Slots {
			if e.Kind == 0 {
				return bpf.WeirEndpointSlot{}, false
			}
			if e.Tag == uint32(hash) && (e.Kind == 3) == answers {
				return e, true
			}
		}
	}
	return bpf.WeirEndpointSlot{}, false
}

func addr(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

func web() Service { return Service{VIP: addr("10.0.100.1:80"), Protocol: TCP} }
func dns() Service { return Service{VIP: addr("10.0.100.1:53"), Protocol: UDP} }

func web6() Service { return Service{VIP: addr("[2001:db8:100::1]:80"), Protocol: TCP} }

// element is one of weight 1 that takes new flows.
func element(pe uint32, at string) Element {
	return Element{PE: pe, Addr: addr(at), Weight: 1, State: Active}
}
