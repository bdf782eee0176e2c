// SPDX-License-Identifier: Apache-2.0

package asap

import (
	"cmp"
	"errors"
	"time"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

// Learn takes in what another registrar tells of an element whose home it is (RFC 5353 3.3.1), as new, as changed, or as
// moved to it: one of ours is then given up without a word, though its session may go on for something else, and will be ours
// again if it turns out that it has not moved.
//
// A foreign element's life is its home's business, which ends it. If its home is dead, or only cannot be heard from here, it
// can neither end nor renew it: so the element outlives its life by the time that it takes until somebody takes the home
// over, which begins its life anew, and until it would have shown itself there. It is never probed but for a report. Its
// policy may be one that we would refuse, since a copy of the handlespace that is not a whole one would be fetched again and
// again; it is chosen as in a round robin pool then.
func (c *Core) Learn(now time.Time, home wire.ServerID, h wire.PoolHandle, we wire.PoolElement) []Action {
	s, k := c.begin(now), handlespace.Key{Pool: h, PE: we.ID}
	we.User.Addrs = unmapped(we.User.Addrs)
	held, ours := c.held(k)
	err := cmp.Or(c.foreign(home), bounded(we), lively(we), c.capacity(k))
	if err == nil {
		err = c.learn(s, k, home, we)
	}
	if err != nil {
		c.counters.Unlearned++
		s.refuse(handlespace.Identity{}, k, err)
		return c.finish(s)
	}
	if ours {
		c.yields.add(k, held, c.cfg.MaxElementsPerIdentity)
	}
	c.live(s, k, we.Life)
	return c.finish(s)
}

// live lets a foreign element live on from now. Who is asked about it, is asked on.
func (c *Core) live(s *step, k handlespace.Key, life int32) {
	w := c.watched(k)
	if w.bond != foreign {
		c.hangUp(s, w)
		*w = watch{key: k, index: w.index, bond: foreign, reaching: w.reaching}
	}
	w.expires = end(s.now, life)
	if w.expires != 0 {
		w.expires = w.expires.after(c.cfg.Adoption.Notice).after(c.cfg.Adoption.Grace).after(c.cfg.Grace)
	}
	c.due.moved(w)
}

func (c *Core) learn(s *step, k handlespace.Key, home wire.ServerID, we wire.PoolElement) *wire.Error {
	e, changed, err := c.space.Learn(home, k.Pool, we)
	var refusal *wire.Error
	if errors.As(err, &refusal) {
		return refusal
	}
	if c.watches[k] == nil {
		c.counters.Learned++
	} else {
		c.counters.Relearned++
	}
	c.registered(k.Pool, e, changed)
	if changed {
		s.change(k.Pool)
	}
	return nil
}

// foreign checks that home is another registrar: of our own elements we know more than anybody.
func (c *Core) foreign(home wire.ServerID) *wire.Error {
	if home == 0 || home == c.cfg.Server {
		return refuse(wire.CauseInvalidValues, "the home is not another registrar")
	}
	return nil
}

// Forget takes an element out of which home, another registrar, says that it left (RFC 5353 3.3.2). That home is the
// element's, or speaks for it, the caller has to know. Nobody but ourselves speaks for ours: the element moved, and the old
// home's news are late. One that registered here and was yielded is ours again.
func (c *Core) Forget(now time.Time, home wire.ServerID, k handlespace.Key) []Action {
	s := c.begin(now)
	e := c.space.Find(k)
	if e == nil || e.Home == c.cfg.Server || c.foreign(home) != nil {
		return nil
	}
	c.remove(s, k, handlespace.Forgotten)
	return c.finish(s)
}
