// SPDX-License-Identifier: Apache-2.0

package enrp_test

import (
	"container/heap"
	"math/rand/v2"
	"time"

	"github.com/weir-lb/weir/registrar/enrp"
	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

// network is some registrars, what lies between them, and a clock that jumps from one event to the next. All of it follows
// from the seed.
type network struct {
	rnd      *rand.Rand
	now      time.Time
	agenda   agenda
	sequence int
	nodes    []*node
	parted   map[[2]int]bool
	links    map[uint64]*link // by the session's number at either end
	sessions uint64
	elements []*server
	timers   enrp.Timers
	calm     bool // the elements do not register at two registrars within a second
	over     bool // the elements do nothing any more
	wrong    []string
}

// node is a registrar, up or not.
type node struct {
	index int
	id    wire.ServerID
	core  *enrp.Core // nil while it is down
	space *handlespace.Space
	life  int // how often it was started
	ready bool
}

// link is a session between two nodes, as each sees it.
type link struct {
	end   [2]*node
	life  [2]int
	id    [2]uint64
	after [2]time.Time // when what was sent last to this end arrives: order is kept
	dead  bool         // nothing arrives any more
}

type appointment struct {
	at       time.Time
	sequence int
	do       func()
}

type agenda []appointment

func (a agenda) Len() int { return len(a) }
func (a agenda) Less(i, j int) bool {
	if !a[i].at.Equal(a[j].at) {
		return a[i].at.Before(a[j].at)
	}
	return a[i].sequence < a[j].sequence
}
func (a agenda) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *agenda) Push(x any)   { *a = append(*a, x.(appointment)) }
func (a *agenda) Pop() any {
	last := (*a)[len(*a)-1]
	*a = (*a)[:len(*a)-1]
	return last
}

func (n *network) at(t time.Time, do func()) {
	n.sequence++
	heap.Push(&n.agenda, appointment{t, n.sequence, do})
}

func (n *network) in(least, most time.Duration, do func()) {
	n.at(n.now.Add(n.between(least, most)), do)
}

func (n *network) between(least, most time.Duration) time.Duration {
	return least + time.Duration(n.rnd.Int64N(int64(most-least)+1))
}

// run lets time pass.
func (n *network) run(d time.Duration) {
	end := n.now.Add(d)
	for {
		next, who := n.deadline()
		if len(n.agenda) > 0 && (who == nil || n.agenda[0].at.Before(next)) {
			next, who = n.agenda[0].at, nil
		}
		if next.IsZero() || next.After(end) {
			n.now = end
			return
		}
		if next.After(n.now) {
			n.now = next
		}
		if who != nil {
			n.apply(who, who.core.Tick(n.now))
			continue
		}
		heap.Pop(&n.agenda).(appointment).do()
	}
}

func (n *network) deadline() (first time.Time, who *node) {
	for _, x := range n.nodes {
		if x.core == nil {
			continue
		}
		if d := x.core.Deadline(); !d.IsZero() && (first.IsZero() || d.Before(first)) {
			first, who = d, x
		}
	}
	return first, who
}

// apply does what a registrar's Core wants.
func (n *network) apply(x *node, actions []enrp.Action) {
	for _, a := range actions {
		switch a := a.(type) {
		case enrp.Send:
			n.send(x, a)
		case enrp.Dial:
			n.dial(x, a)
		case enrp.Hangup:
			if l := n.links[a.Session]; l != nil {
				n.cut(l, x, 0, 50*time.Millisecond)
			}
		case enrp.Synchronised:
			x.ready = true
		default:
			apply(x.space, x.id, []enrp.Action{a})
			if t, ok := a.(enrp.TakeOver); ok {
				n.reach(x, t)
			}
		}
	}
}

func (n *network) reachable(a, b *node) bool {
	return a.core != nil && b.core != nil && !n.parted[[2]int{min(a.index, b.index), max(a.index, b.index)}]
}

func (n *network) dial(x *node, d enrp.Dial) {
	to := n.nodes[d.Transport.Addrs[0].As4()[3]-1]
	life := x.life
	n.in(time.Millisecond, 50*time.Millisecond, func() {
		switch {
		case x.core == nil || x.life != life:
		case x == to || !n.reachable(x, to):
			n.in(0, time.Second, func() {
				if x.core != nil && x.life == life {
					n.apply(x, x.core.DialFailed(n.now, d.ID))
				}
			})
		default:
			n.connect(x, to, d.ID)
		}
	})
}

func (n *network) connect(x, to *node, dial uint64) {
	l := &link{end: [2]*node{x, to}, life: [2]int{x.life, to.life}, id: [2]uint64{n.sessions + 1, n.sessions + 2}}
	n.sessions += 2
	n.links[l.id[0]], n.links[l.id[1]] = l, l
	n.apply(to, to.core.Connected(n.now, l.from(1), 0))
	n.apply(x, x.core.Connected(n.now, l.from(0), dial))
}

// from is how end i of the link knows the other.
func (l *link) from(i int) enrp.From { return enrp.From{Session: l.id[i]} }

// up says whether end i is still the process that it was.
func (l *link) up(i int) bool { return l.end[i].core != nil && l.end[i].life == l.life[i] }

func (n *network) send(x *node, a enrp.Send) {
	l := n.links[a.Session]
	if l == nil {
		return
	}
	i := 1 // of the receiving end
	if l.id[1] == a.Session {
		i = 0
	}
	b, err := wire.AppendENRP(nil, a.Message)
	if err != nil {
		n.wrong = append(n.wrong, "cannot be sent: "+err.Error())
		return
	}
	arrival := n.now.Add(n.between(time.Millisecond, 50*time.Millisecond))
	if arrival.Before(l.after[i]) {
		arrival = l.after[i]
	}
	l.after[i] = arrival
	n.at(arrival, func() {
		if l.dead || n.links[l.id[i]] != l || !l.up(i) {
			return
		}
		m, err := wire.ParseENRP(b)
		if err != nil {
			n.wrong = append(n.wrong, "cannot be read: "+err.Error())
			return
		}
		n.apply(l.end[i], l.end[i].core.Handle(n.now, l.from(i), m))
	})
}

// cut ends a link. Each end but by, who knows, learns of it at its own time.
func (n *network) cut(l *link, by *node, least, most time.Duration) {
	l.dead = true
	for i := range l.end {
		if l.end[i] == by {
			delete(n.links, l.id[i])
			continue
		}
		n.in(least, most, func() {
			if n.links[l.id[i]] == l && l.up(i) {
				n.apply(l.end[i], l.end[i].core.Closed(n.now, l.id[i]))
			}
			delete(n.links, l.id[i])
		})
	}
}

func (n *network) linksOf(match func(*link) bool) []*link {
	var all []*link
	for id := uint64(1); id <= n.sessions; id += 2 { // in order: everything follows from the seed
		l := n.links[id]
		if l == nil {
			l = n.links[id+1]
		}
		if l != nil && match(l) {
			all = append(all, l)
		}
	}
	return all
}

// kill ends a registrar. Its peers see their sessions end at once, or only after a while.
func (n *network) kill(x *node) {
	for _, l := range n.linksOf(func(l *link) bool { return l.end[0] == x || l.end[1] == x }) {
		if n.rnd.IntN(3) > 0 {
			n.cut(l, x, 0, 50*time.Millisecond)
		} else {
			n.cut(l, x, time.Second, 30*time.Second)
		}
	}
	x.core, x.space, x.ready = nil, nil, false
}

// part separates two registrars: what is on its way is lost, and each notices it in its own time.
func (n *network) part(a, b *node) {
	n.parted[[2]int{min(a.index, b.index), max(a.index, b.index)}] = true
	n.lose(a, b)
}

// lose ends the sessions of two registrars that can make new ones.
func (n *network) lose(a, b *node) {
	both := func(l *link) bool { return l.end == [2]*node{a, b} || l.end == [2]*node{b, a} }
	for _, l := range n.linksOf(both) {
		n.cut(l, nil, 0, 20*time.Second)
	}
}
