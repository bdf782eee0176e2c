// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"slices"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/weir-lb/weir/bpf"
	"github.com/weir-lb/weir/maps"
)

// sharing keeps one fixture for all tests of the binary, which run one after another.
type sharing struct {
	testing.TB // the test that runs
	made       *fixture
	cleanups   []func()
}

// shared is closed by TestMain.
var shared sharing

// Cleanup is for the end of all tests.
func (s *sharing) Cleanup(f func()) { s.cleanups = append(s.cleanups, f) }

func (s *sharing) fixture(t testing.TB) *fixture {
	t.Helper()
	s.TB = t
	if s.made == nil {
		s.made = makeFixture(s, "bpf", 5000)
	}
	f := *s.made
	f.TB = t
	return &f
}

func (s *sharing) close() {
	for _, f := range slices.Backward(s.cleanups) {
		f()
	}
}

// reset makes the fixture what it was when it was made.
func (f *fixture) reset() {
	f.Helper()
	for _, s := range services() {
		must(f, f.steering.ApplyAll([]maps.Selection{{Service: s}}))
		must(f, f.steering.Configure(s, maps.Options{}))
		must(f, f.steering.Restrict(s, maps.Lists{}))
		must(f, f.maps.Turns.Put(uint32(f.steering.Row(s)), make([]uint32, ebpf.MustPossibleCPU())))
	}
	f.forget()
	must(f, f.steering.SetHops(nil))
	must(f, f.steering.Release(f.steering.Retired()))
	f.settings.GuardKey[0]++ // another key, other cells: what earlier tests counted of a source is not found
	must(f, f.maps.Settings.Put(uint32(0), f.settings))
	must(f, f.maps.Uplinks.Put(uint32(0), bpf.WeirUplinks{}))
}
