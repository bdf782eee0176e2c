// SPDX-License-Identifier: Apache-2.0

package policy_test

import (
	"fmt"
	"testing"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/policy"
	"github.com/weir-lb/weir/registrar/wire"
)

// BenchmarkOrder asks pools that do not change for one element.
func BenchmarkOrder(b *testing.B) {
	rnd := seeded()
	for name, element := range everyPolicy(rnd) {
		for _, size := range []int{1000, 10_000} {
			b.Run(fmt.Sprintf("%s of %d", name, size), func(b *testing.B) {
				s := newSpace()
				for id := range size {
					s.Register(1, s.by, "p", wire.PoolElement{ID: wire.PEID(id), Policy: element()})
				}
				p := s.pool()
				benchmarkOrder(b, p)
			})
		}
	}
}

func benchmarkOrder(b *testing.B, p *handlespace.Pool) {
	var c policy.Cursor
	rnd := seeded()
	policy.Order(p, &c, rnd, 1)
	b.ReportAllocs()
	for b.Loop() {
		policy.Order(p, &c, rnd, 1)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s")
}
