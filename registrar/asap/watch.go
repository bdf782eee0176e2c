// SPDX-License-Identifier: Apache-2.0

package asap

import (
	"time"

	"github.com/weir-lb/weir/registrar/handlespace"
)

// bond is what an element is to us.
type bond uint8

const (
	// attached: it is ours, and the session that registered it lives.
	attached bond = iota
	// detached: it is ours, but its session ended. It is Away, and has a grace.
	detached
	// adopted: it is ours since we took its home over, but has not shown itself yet. It is Up, and has a grace.
	adopted
	// foreign: another registrar is its home.
	foreign
)

// watch is what may happen to an element by the passing of time.
type watch struct {
	key     handlespace.Key
	expires instant // the end of the registration life
	grace   instant // the end of being detached or adopted
	probe   instant // the next keep-alive; 0 while one is unanswered
	probed  instant // when the last keep-alive since the last registration was sent, or was tried to
	answer  instant // when an unanswered keep-alive means that the element is lost
	reach   instant // when it is to be reached at its ASAP transport
	// asked is whom the unanswered keep-alive was sent to.
	asked    handlespace.Identity
	reports  []report
	index    int // in the queue
	bond     bond
	reaching bool // an association was asked for, and what became of that is not known
	unsure   bool // attached, but it was yielded, and has not answered since
}

func (w *watch) due() instant { return earliest(w.expires, w.grace, w.probe, w.answer, w.reach) }
func (w *watch) place() *int  { return &w.index }

// detach makes the element's owner absent until the grace ends: nothing more is asked of it.
func (w *watch) detach(grace instant) {
	w.bond, w.grace, w.probe, w.answer = detached, grace, 0, 0
}

// end is the end of a registration life of as many seconds, from now on; 0 if it never ends.
func end(now instant, life int32) instant {
	if life < 0 {
		return 0
	}
	return now.after(time.Duration(life) * time.Second)
}

// Forgive begins the waits for answers and the graces that are over at now anew. It is for a caller that did not run for a
// while: what elements did meanwhile could not be noticed. It costs O(elements).
func (c *Core) Forgive(now time.Time) {
	at := c.at(now)
	for _, w := range c.watches {
		if w.answer.past(at) {
			w.answer = at.after(c.cfg.KeepAlive.Timeout)
		}
		if w.grace.past(at) {
			w.grace = at.after(c.grace(w))
		}
		if w.bond == adopted && w.expires != 0 {
			w.expires = max(w.expires, w.grace)
		}
	}
}

// grace is how long an element may be detached, or adopted without a sign of life.
func (c *Core) grace(w *watch) time.Duration {
	if w.bond == adopted {
		return c.cfg.Adoption.Grace
	}
	return c.cfg.Grace
}

// Tick does what is due at now: keep-alives, updates, and the end of lives, graces and waits for answers.
func (c *Core) Tick(now time.Time) []Action {
	s := c.begin(now)
	for w, due, ok := c.due.first(); ok && due <= s.now; w, due, ok = c.due.first() {
		c.lapse(s, w)
	}
	c.update(s)
	return c.finish(s)
}

// lapse does one thing that is due to an element. It moves the watch's due time beyond now, or removes the element, after
// at most three calls.
func (c *Core) lapse(s *step, w *watch) {
	switch {
	case w.grace.past(s.now):
		c.remove(s, w.key, handlespace.Lost)
	case w.expires.past(s.now):
		c.dismiss(s, w, handlespace.Expired) // RFC 5352 3.2: "sent … to indicate the removal"
	case w.answer.past(s.now):
		c.lose(s, w)
	case w.reach.past(s.now):
		c.reach(s, w)
	case w.probe.past(s.now):
		c.sendKeepAlive(s, w, c.space.Owner(w.key))
	}
}
