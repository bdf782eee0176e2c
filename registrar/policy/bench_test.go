// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"fmt"
	"testing"

	"github.com/weir-lb/weir/registrar/wire"
)

// BenchmarkSelect asks pools that do not change for one element.
func BenchmarkSelect(b *testing.B) {
	for name, element := range everyPolicy(seeded()) {
		for _, size := range []int{1000, 10_000} {
			b.Run(fmt.Sprintf("%s of %d", name, size), func(b *testing.B) {
				s := newSpace()
				for id := range size {
					s.add(b, wire.PEID(id), element())
				}
				c, rnd := s.selector(), seeded()
				b.ReportAllocs()
				for b.Loop() {
					c.Select(rnd, 1)
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
			})
		}
	}
}
