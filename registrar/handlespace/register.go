// SPDX-License-Identifier: Apache-2.0

package handlespace

import "github.com/weir-lb/weir/registrar/wire"

// Register adds an element to a pool, founding the pool if there is none, or replaces the attributes of the element of the
// same identifier, which must be the same identity's or nobody's (RFC 5352 3.1 rules 1 to 4). The element then is Up, home
// is its home, and it belongs to by's session, from whatever session of that identity it belonged to before. Any identity
// can claim an element that nobody owns here, as a pool element does whose home is gone: whether this one may, the caller
// has to know.
//
// It returns the element as it is now, and whether anything has changed: another session that owns it is a change too. Every error is a *wire.Error,
// and then nothing has changed: CauseSecurity without an identity, CauseInconsistentPolicy, CauseInconsistentTransport,
// CauseInconsistentTransportUse, CauseNonUniquePEID.
func (s *Space) Register(
	home wire.ServerID, by Identity, h wire.PoolHandle, we wire.PoolElement,
) (e *Element, changed bool, err error) {
	if by.IsZero() {
		return nil, false, refuse(wire.CauseSecurity, "nobody is behind the registration", nil)
	}
	return s.enter(home, by, h, &we)
}

// Learn takes an element in that another registrar told of, with home as its home (RFC 5353 3.3.1). Nobody owns it here, it
// has no identity, and it is Up. As in Register it founds its pool or replaces what was known of it.
//
// Where what is told contradicts what is known:
//   - An element of the same identifier whose home is another registrar, even ourselves, is replaced: RFC 5353 3.3.1 rule 3
//     has no exception, the last that registered the element is right. This is how an element changes its home. If it was
//     owned here, it is not any more; the caller has to end what it did for it. Of two elements that drew the same
//     identifier at two registrars at the same time the later one stays, everywhere, and the other has to draw again.
//   - A policy type, transport protocol or transport use other than the pool's is refused as in Register: RFC 5353 is
//     silent, and RFC 5352 3.1 does not let a pool have two. It happens if a pool is founded at two registrars at the same
//     time, or while they do not see each other. Each then keeps what it has, and the checksums of the two differ until one
//     side's elements are gone: the caller should not ask for a handle table again and again because of that.
//
// Results are as those of Register.
func (s *Space) Learn(
	home wire.ServerID, h wire.PoolHandle, we wire.PoolElement,
) (e *Element, changed bool, err error) {
	return s.enter(home, Identity{}, h, &we)
}

// enter is Register and Learn; by is zero for Learn.
func (s *Space) enter(
	home wire.ServerID, by Identity, h wire.PoolHandle, we *wire.PoolElement,
) (*Element, bool, error) {
	p := s.pools[h]
	if p == nil {
		p = found(h, we)
		s.open(p)
	} else if err := p.admits(we); err != nil {
		return nil, false, err
	}
	p.index.expect(we.ID)
	now := s.printOf(we, home, by)
	at := p.index.find(we.ID)
	if at < 0 {
		return s.add(p, home, by, we, now), true, nil
	}
	was := &p.index.entries[at]
	if was.print == now {
		return was.element, false, nil
	}
	if was.by.contests(by) {
		return nil, false, refuse(wire.CauseNonUniquePEID, "another identity's element has this identifier", nil)
	}
	slot := p.index.slot(at)
	p.expect(slot)
	next := newElement(we, home, by, slot)
	s.replace(p, at, next, now)
	return next, true, nil
}

func (s *Space) add(p *pool, home wire.ServerID, by Identity, we *wire.PoolElement, now fingerprint) *Element {
	e := newElement(we, home, by, p.seat())
	s.elements++
	p.seats[e.slot] = seat{id: e.ID, home: home}
	s.settle(p, e.ID, home)
	s.own(p, e.slot, by)
	s.put(p, p.index.add(e.ID, e.slot), e, now)
	return e
}

// replace puts next, whose print is now, in the place of the element that has its slot.
func (s *Space) replace(p *pool, at int, next *Element, now fingerprint) {
	if seat := &p.seats[next.slot]; seat.home != next.Home {
		s.depart(p, next.ID, seat.home)
		s.settle(p, next.ID, next.Home)
		seat.home = next.Home
	}
	if was := p.index.entries[at].by; was != next.by && was.Name() != next.by.Name() {
		s.disown(p, next.slot, was)
		s.own(p, next.slot, next.by)
	}
	s.put(p, at, next, now)
}

// Deregister takes an element out for the identity that owns it, in any of its sessions (RFC 5352 2.2.2: "a PE may only
// de-register itself"). As with Remove the result is nil, without an error, if there is no such element. The error is a
// *wire.Error with CauseSecurity: the element is another identity's. One that nobody owns here goes for any identity, as it
// can be claimed by any.
func (s *Space) Deregister(by Identity, k Key) (*Element, error) {
	p, at := s.lookup(k)
	if at >= 0 {
		p.expect(p.index.slot(at))
	}
	if by.IsZero() || at >= 0 && p.index.entries[at].by.contests(by) {
		return nil, refuse(wire.CauseSecurity, "the element is another identity's", nil)
	}
	if at < 0 {
		return nil, nil
	}
	return s.take(p, at), nil
}

func refuse(cause wire.CauseCode, reason string, param []byte) error {
	return &wire.Error{Cause: cause, Param: param, Report: true, Reason: reason}
}
