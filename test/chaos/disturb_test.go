// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"math/rand/v2"
	"net/netip"
	"time"
)

// disturber disturbs at random. What only one registrar knows is lost with it in any design: a registrar is killed or cut off
// only when all have seen each other for a while, one at a time. Pairs are parted at any time, and elements killed.
type disturber struct {
	*deployment
	judge *judge
	rnd   *rand.Rand
	heals []heal    // what is to be undone, and when
	whole time.Time // when all registrars saw each other again
	did   map[string]int
}

type heal struct {
	at   time.Time
	kind string
	undo func()
}

// run disturbs for the given time, and then heals everything.
func (d *disturber) run(limit time.Duration) {
	ticks := time.NewTicker(200 * time.Millisecond)
	defer ticks.Stop()
	for end := time.Now().Add(limit); ; {
		now := <-ticks.C
		d.undo(now)
		if now.After(end) {
			break
		}
		switch {
		case d.rnd.IntN(2) == 0:
			d.killElements(now)
		case d.rnd.IntN(50) == 0:
			d.part(now)
		case d.mayLose(now):
			d.inTurn(now)
		}
	}
	d.undo(time.Now().Add(time.Hour))
}

func (d *disturber) undo(now time.Time) {
	left := d.heals[:0]
	var due []heal
	for _, h := range d.heals {
		if h.at.After(now) {
			left = append(left, h)
		} else {
			due = append(due, h)
		}
	}
	d.heals = left
	for _, h := range due {
		h.undo()
		if h.kind != elementKilled {
			d.whole = now
		}
	}
}

func (d *disturber) later(now time.Time, kind string, least, most time.Duration, undo func()) {
	d.did[kind]++
	d.heals = append(d.heals, heal{now.Add(least + time.Duration(d.rnd.Int64N(int64(most-least)))), kind, undo})
}

func (d *disturber) under(kinds ...string) bool {
	for _, h := range d.heals {
		for _, k := range kinds {
			if h.kind == k {
				return true
			}
		}
	}
	return false
}

const (
	registrarKilled = "registrars killed"
	isolated        = "registrars cut off"
	parted          = "pairs parted"
	elementKilled   = "elements killed"
)

func (d *disturber) killElements(now time.Time) {
	for range 1 + d.rnd.IntN(4) {
		e := d.rnd.IntN(elements)
		if !d.judge.forget(e) {
			continue // dead already, or starting
		}
		d.kill(d.elements[e])
		d.later(now, elementKilled, 500*time.Millisecond, 5*time.Second, func() {
			d.startElement(e)
			d.judge.expect(e)
		})
	}
}

// inTurn does what was done least, so that a run has enough of each.
func (d *disturber) inTurn(now time.Time) {
	switch fewest := min(d.did[registrarKilled], d.did[isolated], d.did[parted]); fewest {
	case d.did[parted]:
		d.part(now)
	case d.did[isolated]:
		d.isolate(now)
	default:
		d.killRegistrar(now)
	}
}

// settled is how long registrars that see each other again take to know the same.
const settled = 4 * heartbeat

// mayLose tells whether nobody knows what others do not.
func (d *disturber) mayLose(now time.Time) bool {
	return !d.under(registrarKilled, isolated, parted) && now.Sub(d.whole) > settled
}

func (d *disturber) killRegistrar(now time.Time) {
	i := d.rnd.IntN(registrars)
	d.judge.change(i, func(v *view) { v.gone++ })
	d.tell("%s killed", registrarName(i))
	d.kill(d.registrars[i])
	d.later(now, registrarKilled, time.Second, 4*time.Second, func() {
		d.startRegistrar(i)
		d.tell("%s started", registrarName(i))
		d.judge.change(i, func(v *view) { v.gone-- })
	})
}

// isolate cuts a registrar off from everybody, without a word.
func (d *disturber) isolate(now time.Time) {
	i := d.rnd.IntN(registrars)
	d.judge.change(i, func(v *view) { v.gone++ })
	all := netip.MustParsePrefix("10.0.0.0/8")
	d.tell("%s cut off", registrarName(i))
	d.block(host(registrarAddr(i)), all)
	d.later(now, isolated, 2*time.Second, 5*time.Second, func() {
		d.unblock(host(registrarAddr(i)), all)
		d.tell("%s back", registrarName(i))
		d.judge.change(i, func(v *view) { v.gone, v.from = v.gone-1, time.Now().Add(keepAliveRound) })
	})
}

// part cuts two registrars off from each other only.
func (d *disturber) part(now time.Time) {
	if d.under(parted) {
		return
	}
	i := d.rnd.IntN(registrars)
	next := (i + 1) % registrars
	a, b := host(registrarAddr(i)), host(registrarAddr(next))
	d.partedBy(+1, i, next)
	d.tell("%s parted from %s", registrarName(i), registrarName(next))
	d.block(a, b)
	d.later(now, parted, 2*time.Second, 6*time.Second, func() {
		d.unblock(a, b)
		d.tell("%s with %s again", registrarName(i), registrarName(next))
		d.partedBy(-1, i, next)
	})
}

func (d *disturber) partedBy(n int, pair ...int) {
	for _, i := range pair {
		d.judge.change(i, func(v *view) { v.parted += n })
	}
}

// tell notes what is done to registrars: without it their logs say little.
func (d *disturber) tell(format string, args ...any) {
	d.t.Logf(time.Now().UTC().Format("15:04:05.000 ")+format, args...)
}

func host(a netip.Addr) netip.Prefix { return netip.PrefixFrom(a, a.BitLen()) }

func (d *disturber) block(a, b netip.Prefix) {
	d.must(d.hub.Block(a, b))
	d.must(d.hub.Block(b, a))
}

func (d *disturber) unblock(a, b netip.Prefix) {
	d.must(d.hub.Unblock(a, b))
	d.must(d.hub.Unblock(b, a))
}
