// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"time"

	"github.com/weir-lb/weir/registrar/asap"
	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

// associated is a session from an address of its own, over SCTP.
type associated struct {
	session
	addr netip.Addr
}

func (a associated) Protocol() wire.Protocol { return wire.ProtocolSCTP }
func (a associated) RemoteAddrs() []netip.AddrPort {
	return []netip.AddrPort{netip.AddrPortFrom(a.addr, 5000)}
}

// memory registers elements with a registrar's ASAP, all in one pool, and returns the bytes that each takes in the heap when
// the garbage is collected: handlespace, selector, and what ASAP keeps. The sessions are not counted.
func memory(size, each int) float64 {
	who := make([]handlespace.Identity, size/each+1)
	for i := range who {
		a := netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, 10<<24|uint32(i))))
		who[i] = handlespace.Identify(associated{session(i), a}, handlespace.Plain)
	}
	before := heap()
	core := asap.New(asap.Config{
		Unsecured: true, KeepAlive: asap.KeepAlive{Interval: time.Minute, Timeout: time.Second},
		Rand: rand.New(rand.NewPCG(1, 2)), Server: home, MaxElements: size,
	})
	now := time.Unix(1000, 0)
	for i := range size {
		by := who[i/each]
		core.Handle(now, by, &wire.Registration{Pool: pool, Element: wire.PoolElement{
			ID: wire.PEID(uint32(i+1) * 2654435761), Life: 300, Policy: wire.LeastUsedWithDegradation(uint32(i), 1),
			User: wire.Transport{Protocol: wire.ProtocolTCP, Port: 80, Addrs: []netip.Addr{by.Addrs()[0].Addr()}},
		}})
	}
	after := heap()
	if n := core.Counters().Elements; n != size {
		panic(n)
	}
	runtime.KeepAlive(who)
	return float64(after-before) / float64(size)
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
