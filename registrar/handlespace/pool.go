// SPDX-License-Identifier: Apache-2.0

package handlespace

import (
	"iter"

	"github.com/weir-lb/weir/registrar/wire"
)

// Pool is a snapshot of one pool. It never changes and may be shared among goroutines.
type Pool struct {
	handle     wire.PoolHandle
	policy     wire.Policy
	protocol   wire.Protocol
	use        wire.TransportUse
	generation uint64
	elements   tree
}

// Handle is the pool's name.
func (p *Pool) Handle() wire.PoolHandle { return p.handle }

// Policy is the overall policy: that of the element that founded the pool (RFC 5352 3.1 rule 1).
func (p *Pool) Policy() wire.Policy { return p.policy }

// Protocol is the overall transport type.
func (p *Pool) Protocol() wire.Protocol { return p.protocol }

// Use is the overall data and control channel configuration.
func (p *Pool) Use() wire.TransportUse { return p.use }

// Generation grows with each change of the pool. It is unique among all snapshots of a Space, so that a pool that left and
// was founded again never repeats one.
func (p *Pool) Generation() uint64 { return p.generation }

// Len is the number of elements; 0 only for a pool that is gone.
func (p *Pool) Len() int { return p.elements.len() }

// All are the elements in the order of identifiers.
func (p *Pool) All() iter.Seq[*Element] { return p.elements.from(0) }

// Find is the element with this identifier, nil if the pool has none.
func (p *Pool) Find(id wire.PEID) *Element { return p.elements.find(id) }
