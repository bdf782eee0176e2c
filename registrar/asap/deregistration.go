// SPDX-License-Identifier: Apache-2.0

package asap

import (
	"errors"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

// deregister is RFC 5352 3.2. The identity that registered the element may do it in any of its sessions, so that one whose
// association broke need not register again only to leave. An unknown element is gone already: granted.
func (c *Core) deregister(s *step, from handlespace.Identity, m *wire.Deregistration) {
	k := handlespace.Key{Pool: m.Pool, PE: m.PE}
	e, err := c.space.Deregister(from, k)
	response := &wire.DeregistrationResponse{Pool: m.Pool, PE: m.PE}
	s.send(from, response)
	var refusal *wire.Error
	if errors.As(err, &refusal) {
		s.refuse(from, k, refusal)
		response.Causes = c.reject(refusal)
		return
	}
	c.counters.Deregistrations++
	if e != nil {
		c.departed(s, k, e, handlespace.Deregistered)
	}
}
