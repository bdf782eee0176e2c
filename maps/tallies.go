// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"fmt"

	"github.com/weir-lb/weir/bpf"
)

// Tally is what happened beside the packets' verdicts, and how often since the maps were made.
type Tally struct {
	Name   string // stable, snake_case: the metric's label
	Reason string // one clause that an operator understands
	Count  uint64
}

// tallies holds the description of each enum tally of bpf/types.h, by its number.
var tallies = [bpf.WeirTallyTALLY_MAX]Tally{
	bpf.WeirTallyTALLY_FLOW_EVICTED: {Name: "flow_evicted", Reason: "a flow that was only opening gave its entry to a new one"},
}

// ReadTallies sums the tallies of all CPUs, in the enum's order.
func ReadTallies(m *bpf.WeirMaps) ([]Tally, error) {
	read := tallies
	var cpus []uint64
	for i := range read {
		if err := m.Tallies.Lookup(uint32(i), &cpus); err != nil {
			return nil, fmt.Errorf("read tally %s: %w", read[i].Name, err)
		}
		for _, n := range cpus {
			read[i].Count += n
		}
	}
	return read[:], nil
}
