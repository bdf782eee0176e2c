// SPDX-License-Identifier: Apache-2.0

package asap_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/weir-lb/weir/registrar/asap"
	"github.com/weir-lb/weir/registrar/wire"
)

// benchWorld has 10,000 elements, in pools of the given size.
func benchWorld(b *testing.B, poolSize int, with ...func(*wire.PoolElement)) *world {
	const elements = 10_000
	one := grantsOfAll()[0]
	for i := range elements / poolSize {
		one.Pools = append(one.Pools, pool(i))
	}
	w := newWorld(func(c *asap.Config) { c.Grants, c.MaxElementsPerIdentity = []asap.Grant{one}, 2*elements })
	for i := range elements {
		w.play(registers(0, "a", pool(i/poolSize), wire.PEID(i), append(with, port(1))...))
	}
	if n := w.core.Counters().Elements; n != elements {
		b.Fatalf("%d elements", n)
	}
	return w
}

func pool(i int) wire.PoolHandle { return wire.PoolHandle(fmt.Sprint("pool-", i)) }

func perSecond(b *testing.B) { b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "ops/s") }

// BenchmarkRegister registers and deregisters one element beside 10,000.
func BenchmarkRegister(b *testing.B) {
	for _, size := range []int{10, 100, 10_000} {
		b.Run(fmt.Sprintf("pool of %d", size), func(b *testing.B) {
			w := benchWorld(b, size)
			a, now := w.identity("a"), w.start
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				e := element(wire.PEID(1<<20 + i))
				w.core.Handle(now, a, &wire.Registration{Pool: "pool-0", Element: e})
				w.core.Handle(now, a, &wire.Deregistration{Pool: "pool-0", PE: e.ID})
			}
			perSecond(b)
		})
	}
}

// BenchmarkReregister is what most registrations are: the same again.
func BenchmarkReregister(b *testing.B) {
	w := benchWorld(b, 100)
	a, m := w.identity("a"), &wire.Registration{Pool: "pool-0", Element: element(7, port(1))}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		w.core.Handle(w.start.Add(time.Duration(i)), a, m)
	}
	perSecond(b)
}

func BenchmarkResolve(b *testing.B) {
	items := uint32(3)
	for name, with := range map[string][]func(*wire.PoolElement){"rr": nil, "wrr": {wrr(5)}} {
		b.Run(name+" 3 of 10000", func(b *testing.B) {
			w := benchWorld(b, 10_000, with...)
			a, m := w.identity("a"), &wire.HandleResolution{Pool: "pool-0", Items: &items}
			b.ReportAllocs()
			for b.Loop() {
				w.core.Handle(w.start, a, m)
			}
			perSecond(b)
		})
	}
}
