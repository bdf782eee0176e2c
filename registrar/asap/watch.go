// SPDX-License-Identifier: Apache-2.0

package asap

import (
	"container/heap"
	"slices"
	"time"

	"github.com/weir-lb/weir/registrar/handlespace"
)

// watch is what may happen to an element by the passing of time. A zero time never comes.
type watch struct {
	key     handlespace.Key
	expires time.Time // the end of the registration life
	grace   time.Time // the end of being away; zero if the element is up
	probe   time.Time // the next keep-alive; zero while one is unanswered
	probed  time.Time // the last keep-alive since the last registration was sent
	answer  time.Time // when an unanswered keep-alive means that the element is lost
	// reporters are the identities that found the element unreachable since its last registration, fewer than
	// MaxBadReports.
	reporters []string
	index     int // in the heap
}

func (w *watch) away() bool { return !w.grace.IsZero() }

// leave makes the element away until the grace ends: nothing more is asked of it.
func (w *watch) leave(grace time.Time) {
	w.grace, w.probe, w.answer = grace, time.Time{}, time.Time{}
}

// due is the earliest of the times, zero if none ever comes.
func (w *watch) due() time.Time {
	var first time.Time
	for _, t := range []time.Time{w.expires, w.grace, w.probe, w.answer} {
		if !t.IsZero() && (first.IsZero() || t.Before(first)) {
			first = t
		}
	}
	return first
}

// past says whether t has come.
func past(t, now time.Time) bool { return !t.IsZero() && !t.After(now) }

// reported notes a reporter. Returns false if it was there already: one identity counts once, or it could evict anybody.
func (w *watch) reported(by string) bool {
	if slices.Contains(w.reporters, by) {
		return false
	}
	w.reporters = append(w.reporters, by)
	return true
}

// Forgive begins the waits for answers and the graces that are over at now anew. It is for a caller that did not run for a
// while: what elements did meanwhile could not be noticed. It costs O(elements).
func (c *Core) Forgive(now time.Time) {
	for _, w := range c.due {
		if past(w.answer, now) {
			w.answer = now.Add(c.cfg.KeepAlive.Timeout)
		}
		if past(w.grace, now) {
			w.grace = now.Add(c.cfg.Grace)
		}
	}
	heap.Init(&c.due)
}

// Tick does what is due at now: keep-alives, and the end of lives, graces and waits for answers.
func (c *Core) Tick(now time.Time) []Action {
	s := c.step(now)
	for len(c.due) > 0 && past(c.due[0].due(), now) {
		c.lapse(&s, c.due[0])
	}
	return s.actions()
}

// lapse does one thing that is due to an element. It moves the watch's due time beyond now, or removes the element, after
// at most two calls.
func (c *Core) lapse(s *step, w *watch) {
	switch {
	case past(w.expires, s.now): // RFC 5352 3.2: "a message is sent to the PE … to indicate the removal"
		c.dismiss(s, w.key, handlespace.Expired)
	case past(w.grace, s.now):
		c.remove(s, w.key, handlespace.Lost)
	case past(w.answer, s.now):
		c.lose(s, w)
	case past(w.probe, s.now):
		c.sendKeepAlive(s, w)
	}
}

// dueHeap is all watches, by due time; those that are never due are last.
type dueHeap []*watch

func (h *dueHeap) add(w *watch)    { heap.Push(h, w) }
func (h *dueHeap) fix(w *watch)    { heap.Fix(h, w.index) }
func (h *dueHeap) remove(w *watch) { heap.Remove(h, w.index) }

// Len, Less, Swap, Push and Pop are container/heap's.
func (h dueHeap) Len() int { return len(h) }

// Less has the watch that is due earlier first.
func (h dueHeap) Less(i, j int) bool {
	a, b := h[i].due(), h[j].due()
	if a.IsZero() || b.IsZero() {
		return !a.IsZero()
	}
	return a.Before(b)
}

// Swap keeps each watch's index.
func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push adds a *watch at the end.
func (h *dueHeap) Push(x any) {
	w := x.(*watch)
	w.index = len(*h)
	*h = append(*h, w)
}

// Pop takes the last off.
func (h *dueHeap) Pop() any {
	last := len(*h) - 1
	w := (*h)[last]
	(*h)[last] = nil
	*h = (*h)[:last]
	return w
}
