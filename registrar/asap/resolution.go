// SPDX-License-Identifier: Apache-2.0

package asap

import (
	"sort"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

const (
	// minElementLen is the least that a Pool Element parameter takes: its header and fixed fields, a transport with an
	// IPv4 address, a policy without data.
	minElementLen = 16 + 16 + 8
	maxResolved   = wire.MaxMessageLen / minElementLen // elements that a response could hold
	// standardItems is how many elements rsplib means when it asks for 0.
	standardItems = 3
)

// resolve is RFC 5352 3.3. With the S flag, updates of the pool follow, if the A flag says so (2.2.5, 2.2.6).
func (c *Core) resolve(s *step, from handlespace.Identity, m *wire.HandleResolution) {
	limit := wanted(m.Items)
	response := c.answer(m.Pool, limit)
	if len(response.Causes) == 0 {
		c.counters.Resolutions++
	} else {
		c.counters.Rejected[response.Causes[0].Code]++
	}
	if len(m.Pool) > maxNamed { // no pool has such a handle
		s.send(from, rejection(m, response.Causes))
		return
	}
	response.Accepted = m.Subscribe && c.subscribe(s, from, m.Pool, limit)
	s.send(from, response)
}

// wanted is how many elements a peer wants at most. The RFC lists all; only rsplib can ask for fewer.
func wanted(items *uint32) int {
	switch {
	case items == nil:
		return maxResolved
	case *items == 0:
		return standardItems
	}
	return int(min(*items, maxResolved))
}

// answer is how a pool is, in up to limit elements. The overall policy is always named: that a missing one means round robin
// is no reason not to say so, and rsplib's pool users need it.
func (c *Core) answer(h wire.PoolHandle, limit int) *wire.HandleResolutionResponse {
	overall, ok := c.space.Policy(h)
	if !ok {
		return negative(h, wire.CauseUnknownPoolHandle)
	}
	response := &wire.HandleResolutionResponse{Pool: h, Policy: &overall, Elements: c.choose(h, limit)}
	c.cut(response)
	if len(response.Elements) == 0 { // the pool exists, but nobody in it can take work now
		return negative(h, wire.CauseLackOfResources)
	}
	return response
}

func negative(h wire.PoolHandle, cause wire.CauseCode) *wire.HandleResolutionResponse {
	return &wire.HandleResolutionResponse{Pool: h, Causes: []wire.ErrorCause{{Code: cause}}}
}

func (c *Core) choose(h wire.PoolHandle, limit int) []wire.PoolElement {
	chosen := c.selectors[h].Select(c.cfg.Rand, limit)
	elements := make([]wire.PoolElement, len(chosen))
	for i, e := range chosen {
		elements[i] = e.Wire()
	}
	return elements
}

// cut drops the last elements until the message's length fits its 16 bits. They were not selected then.
func (c *Core) cut(m *wire.HandleResolutionResponse) {
	if sizeable(m) <= wire.MaxMessageLen || c.encodes(m) {
		return
	}
	all := m.Elements
	tooMany := sort.Search(len(all), func(i int) bool {
		m.Elements = all[:i+1]
		return !c.encodes(m)
	})
	m.Elements = all[:tooMany]
	c.selectors[m.Pool].Withdraw(tooMany)
}

// sizeable is a length that the message does not exceed, found without encoding it.
func sizeable(m *wire.HandleResolutionResponse) int {
	const headers, addr = 64, 20 // of an element and all in it, and of an address
	n := headers + len(m.Pool) + len(m.Policy.Data)
	for i := range m.Elements {
		e := &m.Elements[i]
		n += headers + len(e.User.Addrs)*addr + len(e.User.Opaque) + len(e.Policy.Data)
		if e.ASAP != nil {
			n += len(e.ASAP.Addrs) * addr
		}
	}
	return n
}

func (c *Core) encodes(m wire.Message) bool {
	var err error
	c.scratch, err = wire.AppendASAP(c.scratch[:0], m)
	return err == nil
}
