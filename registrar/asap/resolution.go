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

// resolve is RFC 5352 3.3. Updates are not offered: the A flag stays 0 (RFC 5352 2.2.6).
func (c *Core) resolve(s *step, from handlespace.Identity, m *wire.HandleResolution) {
	response := &wire.HandleResolutionResponse{Pool: m.Pool}
	s.send(from, response)
	overall, ok := c.space.Policy(m.Pool)
	if !ok {
		response.Causes = c.reject(refuse(wire.CauseUnknownPoolHandle, ""))
		return
	}
	response.Elements = c.choose(m.Pool, m.Items)
	if overall.Type != wire.PolicyRoundRobin {
		response.Policy = &overall
	}
	c.cut(response)
	if len(response.Elements) == 0 { // the pool exists, but nobody in it can take work now
		response.Policy = nil
		response.Causes = c.reject(refuse(wire.CauseLackOfResources, ""))
		return
	}
	c.counters.Resolutions++
}

func (c *Core) choose(h wire.PoolHandle, items *uint32) []wire.PoolElement {
	limit := maxResolved
	if items != nil {
		limit = int(min(*items, maxResolved))
	}
	if limit == 0 {
		limit = standardItems
	}
	chosen := c.selectors[h].Select(c.cfg.Rand, limit)
	elements := make([]wire.PoolElement, len(chosen))
	for i, e := range chosen {
		elements[i] = e.Wire()
	}
	return elements
}

// cut drops the last elements until the message's length fits its 16 bits. They were not selected then.
func (c *Core) cut(m *wire.HandleResolutionResponse) {
	if c.encodes(m) {
		return
	}
	all := m.Elements
	tooMany := sort.Search(len(all), func(i int) bool {
		m.Elements = all[:i+1]
		return !c.encodes(m)
	})
	m.Elements = all[:tooMany]
	for _, e := range all[tooMany:] {
		c.selectors[m.Pool].Withdraw(e.ID)
	}
}

func (c *Core) encodes(m wire.Message) bool {
	var err error
	c.scratch, err = wire.AppendASAP(c.scratch[:0], m)
	return err == nil
}
