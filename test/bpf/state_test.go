// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"bytes"

	"github.com/cilium/ebpf"

	"github.com/weir-lb/weir/bpf"
)

// snapshot is the flow table as it is now.
func (f *fixture) snapshot() (all [][]byte) {
	f.Helper()
	for _, memory := range f.state {
		b := make([]byte, memory.Size())
		_, err := memory.ReadAt(b, 0)
		must(f, err)
		all = append(all, b)
	}
	return all
}

// restore makes the flow table what it was.
func (f *fixture) restore(snapshot [][]byte) {
	f.Helper()
	for i, memory := range f.state {
		_, err := memory.WriteAt(snapshot[i], 0)
		must(f, err)
	}
}

// unchanged says whether the flow table still is what it was.
func (f *fixture) unchanged(snapshot [][]byte) bool {
	f.Helper()
	for i, now := range f.snapshot() {
		if !bytes.Equal(now, snapshot[i]) {
			return false
		}
	}
	return true
}

// forget empties what packets wrote: flows, newcomers, proofs and budgets.
func (f *fixture) forget() {
	f.Helper()
	for _, memory := range f.state {
		_, err := memory.WriteAt(make([]byte, memory.Size()), 0)
		must(f, err)
	}
	for _, m := range []*ebpf.Map{f.maps.Newcomers, f.maps.Proven, f.maps.Admitted} {
		var key, value []byte
		var keys [][]byte
		it := m.Iterate()
		for it.Next(&key, &value) {
			keys = append(keys, append([]byte(nil), key...))
		}
		must(f, it.Err())
		for _, key := range keys {
			must(f, m.Delete(key))
		}
	}
	for budget := range uint32(bpf.WeirBudgetBUDGET_MAX) {
		must(f, f.maps.Budgets.Put(budget, uint64(0)))
	}
}
