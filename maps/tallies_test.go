// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"regexp"
	"testing"

	"github.com/cilium/ebpf"
)

func TestEveryTallyIsDescribed(t *testing.T) {
	names := map[string]bool{}
	for i, tally := range tallies {
		if !regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`).MatchString(tally.Name) || names[tally.Name] {
			t.Errorf("tally %d: name %q is not unique snake case", i, tally.Name)
		}
		names[tally.Name] = true
		if tally.Reason == "" || tally.Count != 0 {
			t.Errorf("%s: reason %q, count %d", tally.Name, tally.Reason, tally.Count)
		}
	}
}

func TestTalliesSumAllCPUs(t *testing.T) {
	m := newMaps(t)
	for i := range tallies {
		perCPU := make([]uint64, ebpf.MustPossibleCPU())
		for cpu := range perCPU {
			perCPU[cpu] = uint64(i + cpu + 1)
		}
		must(t, m.Tallies.Put(uint32(i), perCPU))
	}
	for range 2 { // reading adds nothing to what is there
		got, err := ReadTallies(m)
		must(t, err)
		for i, tally := range got {
			want := uint64(0)
			for cpu := range ebpf.MustPossibleCPU() {
				want += uint64(i + cpu + 1)
			}
			if tally.Name != tallies[i].Name || tally.Count != want {
				t.Errorf("%+v, want %s %d times", tally, tallies[i].Name, want)
			}
		}
	}
}
