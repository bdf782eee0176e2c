// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/policy"
	"github.com/weir-lb/weir/registrar/wire"
)

const (
	pool = wire.PoolHandle("EchoPool")
	home = wire.ServerID(0x11111111)
	// perIdentity is how many elements an identity has: what a registrar allows one if nothing else is configured.
	perIdentity = 64
)

// session is what an identity is made of.
type session uint64

func (s session) ID() uint64                    { return uint64(s) }
func (s session) Peer() string                  { return fmt.Sprintf("pe-%d", uint64(s)) }
func (s session) RemoteAddrs() []netip.AddrPort { return nil }
func (s session) Protocol() wire.Protocol       { return wire.ProtocolTCP }

// world is one pool, its selector, and who its elements are.
type world struct {
	space     *handlespace.Space
	selector  *policy.Selector
	rnd       *rand.Rand
	who       []handlespace.Identity
	ids       []wire.PEID      // of the elements, in no order
	used      uint32           // how many identifiers
	message   wire.PoolElement // as it comes from the decoder: the same memory each time
	observing bool
	observed  *handlespace.Pool
	sink      uint16
}

func newWorld(p wire.Policy, size int) *world {
	w := &world{
		space: handlespace.New(), selector: policy.New(p.Type), rnd: rand.New(rand.NewPCG(uint64(size), 1)),
		message: wire.PoolElement{Life: 300, Policy: p, User: wire.Transport{
			Protocol: wire.ProtocolTCP, Port: 80, Addrs: []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 0, 1})},
		}},
	}
	for i := range size/perIdentity + 1 {
		w.who = append(w.who, handlespace.Identify(session(i), handlespace.Proven))
	}
	for i := range size {
		if i == 1 {
			w.space.Ahead(pool, w.selector.Expect)
		}
		w.ids = append(w.ids, w.unused())
		w.register(w.ids[len(w.ids)-1])
	}
	return w
}

// unused is an identifier that never was: a multiple of an odd number modulo 2^32, so that they come in no order.
func (w *world) unused() wire.PEID {
	w.used++
	return wire.PEID(w.used * 2654435761)
}

// register is what a registration does, and what an observer does if there is one. A load or weight is another each time.
func (w *world) register(id wire.PEID) {
	w.message.ID = id
	for at := 0; at+4 <= len(w.message.Policy.Data); at += 4 {
		binary.BigEndian.PutUint32(w.message.Policy.Data[at:], w.rnd.Uint32()>>1|1)
	}
	e, changed, err := w.space.Register(home, w.who[uint32(id)%uint32(len(w.who))], pool, w.message)
	if err != nil {
		panic(err)
	}
	w.selector.Registered(e, changed)
	w.observe(changed)
}

func (w *world) deregister(id wire.PEID) {
	e, err := w.space.Deregister(w.who[uint32(id)%uint32(len(w.who))], handlespace.Key{Pool: pool, PE: id})
	if err != nil {
		panic(err)
	}
	w.selector.Remove(e)
	w.observe(true)
}

// observe takes a snapshot after each change, and keeps it until the next.
func (w *world) observe(changed bool) {
	if changed && w.observing {
		w.observed = w.space.Pool(pool)
	}
}

func (w *world) resolve() {
	for _, e := range w.selector.Select(w.rnd, 1) {
		w.sink += e.User.Port + uint16(e.User.Addrs[0].BitLen())
	}
}

// random is the index of a random element.
func (w *world) random() int { return w.rnd.IntN(len(w.ids)) }
