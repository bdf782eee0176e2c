// SPDX-License-Identifier: Apache-2.0

package handlespace

import "github.com/weir-lb/weir/registrar/wire"

// Register adds an element to a pool, founding the pool if there is none, or replaces the attributes of the element of the
// same identifier, which must be the same identity's (RFC 5352 3.1 rules 1 to 4). The element then is Up, home owns it,
// and it belongs to by's session, from whatever session of that identity it belonged to before.
//
// It returns the pool's snapshot, the same one as before if nothing that a snapshot shows has changed. Every error is a
// *wire.Error, and then nothing has changed: CauseSecurity without an identity, CauseInconsistentPolicy,
// CauseInconsistentTransport, CauseInconsistentTransportUse, CauseNonUniquePEID.
func (s *Space) Register(home wire.ServerID, by Identity, h wire.PoolHandle, we wire.PoolElement) (*Pool, error) {
	if by.IsZero() {
		return nil, refuse(wire.CauseSecurity, "no proven identity", nil)
	}
	p := s.pools[h]
	if p == nil {
		p = found(h, we)
	} else if err := p.admits(by, we); err != nil {
		return nil, err
	}
	s.own(Key{h, we.ID}, by)
	return s.put(p, &Element{
		ID: we.ID, Identity: by.Name(), Home: home, Life: we.Life, User: we.User, Policy: we.Policy, ASAP: we.ASAP,
	}), nil
}

// Deregister takes an element out for the identity that owns it, in any of its sessions (RFC 5352 2.2.2: "a PE may only
// de-register itself"). As with Remove the pool is nil, without an error, if there is no such element. The error is a
// *wire.Error with CauseSecurity: the element is another identity's.
func (s *Space) Deregister(by Identity, k Key) (*Pool, Element, error) {
	if owner := s.Owner(k); !owner.IsZero() && owner.Name() != by.Name() {
		return nil, Element{}, refuse(wire.CauseSecurity, "the element is another identity's", nil)
	}
	p, e := s.Remove(k)
	return p, e, nil
}

// found is a pool without elements that agrees with its founder (RFC 5352 3.1 rule 1).
func found(h wire.PoolHandle, founder wire.PoolElement) *Pool {
	return &Pool{handle: h, policy: founder.Policy, protocol: founder.User.Protocol, use: founder.User.Use}
}

// admits checks what RFC 5352 3.1 rules 2 and 3 ask of a pool's elements.
func (p *Pool) admits(by Identity, we wire.PoolElement) error {
	if we.Policy.Type != p.policy.Type {
		tlv, _ := p.policy.AppendTLV(nil)
		return refuse(wire.CauseInconsistentPolicy, "the pool's policy is "+p.policy.Type.String(), tlv)
	}
	if we.User.Protocol != p.protocol {
		tlv, _ := p.elements[0].User.AppendTLV(nil)
		return refuse(wire.CauseInconsistentTransport, "the pool's transport is "+p.protocol.String(), tlv)
	}
	if we.User.Use != p.use {
		return refuse(wire.CauseInconsistentTransportUse, "the pool's transport use is "+p.use.String(), nil)
	}
	if e, ok := p.Find(we.ID); ok && e.Identity != by.Name() {
		return refuse(wire.CauseNonUniquePEID, "another identity's element has this identifier", nil)
	}
	return nil
}

func refuse(cause wire.CauseCode, reason string, param []byte) error {
	return &wire.Error{Cause: cause, Param: param, Report: true, Reason: reason}
}
