// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"regexp"
	"testing"

	"github.com/cilium/ebpf"

	"github.com/weir-lb/weir/bpf"
)

// What the program does for a verdict is compared in test/bpf, packet by packet.
func TestEveryVerdictIsDescribed(t *testing.T) {
	names := map[string]bool{}
	for i, v := range verdicts {
		if !regexp.MustCompile(`^[a-z]+(_[a-z]+)*$`).MatchString(v.Name) || names[v.Name] {
			t.Errorf("verdict %d: name %q is not unique snake case", i, v.Name)
		}
		names[v.Name] = true
		switch v.Action {
		case Pass, Drop, TX, Redirect:
		default:
			t.Errorf("%s: action %q", v.Name, v.Action)
		}
		if v.Reason == "" {
			t.Errorf("%s: no reason", v.Name)
		}
	}
}

func TestCountsSumAllCPUs(t *testing.T) {
	m := newMaps(t)
	perCPU := make([]bpf.WeirCount, ebpf.MustPossibleCPU())
	var packets, bytes uint64
	for i := range perCPU {
		perCPU[i] = bpf.WeirCount{Packets: uint64(i + 1), Bytes: uint64(100 * (i + 1))}
		packets += perCPU[i].Packets
		bytes += perCPU[i].Bytes
	}
	must(t, m.Counters.Put(uint32(bpf.WeirVerdictVERDICT_STEER_FORWARD), perCPU))
	counts, err := ReadCounts(m)
	must(t, err)
	if len(counts) != int(bpf.WeirVerdictVERDICT_MAX) {
		t.Errorf("%d counts, want one a verdict", len(counts))
	}
	for _, c := range counts {
		want := Count{Verdict: c.Verdict}
		if c.Name == "steer_forward" {
			want.Packets, want.Bytes = packets, bytes
		}
		if c != want {
			t.Errorf("%+v, want %+v", c, want)
		}
	}
}
