// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"net/netip"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/weir-lb/weir/bpf"
	"github.com/weir-lb/weir/test/require"
)

// testRows is how many element rows the maps of a test have; row 0 is never used.
const testRows = 16

// newMaps are the program's maps without the program, small, and gone when the test ends.
func newMaps(t *testing.T) *bpf.WeirMaps {
	t.Helper()
	require.Need(t, require.Root, require.BPF)
	spec, err := bpf.LoadWeir()
	if err != nil {
		t.Fatal(err)
	}
	spec.Maps["flows"].MaxEntries = 10_000
	spec.Maps["elements"].MaxEntries = testRows
	var m bpf.WeirMaps
	if err := spec.LoadAndAssign(&m, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return &m
}

func must(t *testing.T, err error) {
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

func addr(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

func web() Service { return Service{VIP: addr("10.0.100.1:80"), Protocol: TCP} }
func dns() Service { return Service{VIP: addr("10.0.100.1:53"), Protocol: UDP} }

// element is one of weight 1 that takes new flows.
func element(pe uint32, at string) Element {
	return Element{PE: pe, Addr: addr(at), Weight: 1, State: Active}
}
