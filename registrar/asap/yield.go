// SPDX-License-Identifier: Apache-2.0

package asap

import (
	"cmp"
	"slices"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

// yielded is how an element registered here that another registrar told of as its own since.
type yielded struct {
	by      handlespace.Identity
	element *handlespace.Element
	expires instant // the end of the registration life
}

// yields are the elements that we yielded to another registrar while the session that they registered in lives. Which of two
// registrars an element came to last, their news need not tell in the right order: if it was here, the other one will find
// that it has left, and then it would be nowhere.
type yields struct {
	of map[handlespace.Key]yielded
	in map[uint64][]handlespace.Key // by session
}

func newYields() yields {
	return yields{of: map[handlespace.Key]yielded{}, in: map[uint64][]handlespace.Key{}}
}

// add notes an element, unless its session has most of them already.
func (l *yields) add(k handlespace.Key, y yielded, most int) {
	if session := y.by.Session(); len(l.in[session]) < most {
		l.of[k] = y
		l.in[session] = append(l.in[session], k)
	}
}

// take forgets an element, and says what was known of it.
func (l *yields) take(k handlespace.Key) (y yielded, ok bool) {
	if y, ok = l.of[k]; !ok {
		return y, false
	}
	delete(l.of, k)
	session := y.by.Session()
	l.in[session] = slices.DeleteFunc(l.in[session], func(o handlespace.Key) bool { return o == k })
	if len(l.in[session]) == 0 {
		delete(l.in, session)
	}
	return y, true
}

// end forgets all elements of a session.
func (l *yields) end(session uint64) {
	for _, k := range l.in[session] {
		delete(l.of, k)
	}
	delete(l.in, session)
}

// held is what we would yield of an element: nothing if it is not ours, or its session ended.
func (c *Core) held(k handlespace.Key) (y yielded, ok bool) {
	w := c.watches[k]
	if w == nil || w.bond != attached {
		return y, false
	}
	return yielded{c.space.Owner(k), c.space.Find(k), w.expires}, true
}

// restore makes an element ours again, as it registered with us, if we yielded it, and says whether it did. Whether it is
// there is asked at once: it may have gone to the other registrar after all, and left from there.
func (c *Core) restore(s *step, k handlespace.Key) bool {
	y, ok := c.yields.take(k)
	if !ok || y.expires.past(s.now) {
		return false
	}
	we := y.element.Wire()
	if cmp.Or(c.allow(y.by, k.Pool, we), c.room(y.by, k)) != nil {
		return false
	}
	e, changed, err := c.space.Register(c.cfg.Server, y.by, k.Pool, we)
	if err != nil {
		return false // which cannot be, of what is in its pool already
	}
	c.counters.Restored++
	w := c.watches[k]
	c.hangUp(s, w)
	*w = watch{key: k, index: w.index, reaching: w.reaching, expires: y.expires, unsure: true}
	c.registered(k.Pool, e, changed)
	s.change(k.Pool)
	s.update(wire.ActionAddPE, k.Pool, e)
	c.sendKeepAlive(s, w, y.by)
	return true
}
