// SPDX-License-Identifier: Apache-2.0

package enrp_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/weir-lb/weir/registrar/enrp"
	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

// server is a pool element that lives outside the registrars: it knows whom it registered with last.
type server struct {
	pool    wire.PoolHandle
	id      wire.PEID
	port    uint16
	alive   bool
	home    *node
	life    int    // of its home when it registered there
	session uint64 // with its home
	last    time.Time
}

// short are timers for a network whose messages take at most 50 ms.
var short = enrp.Timers{
	HeartbeatCycle: 3 * time.Second, LastHeard: 7 * time.Second, NoResponse: time.Second, MentorHunt: time.Second,
	TakeoverExpiry: time.Second, Redial: 500 * time.Millisecond, Crossing: 200 * time.Millisecond,
}

func newNetwork(seed uint64, nodes, elements int) *network {
	n := &network{
		timers: short, rnd: rand.New(rand.NewPCG(seed, 0)), now: time.Unix(1000, 0), parted: map[[2]int]bool{}, links: map[uint64]*link{},
	}
	for i := range nodes {
		n.nodes = append(n.nodes, &node{index: i, id: wire.ServerID(i + 1)})
	}
	for i := range elements {
		n.elements = append(n.elements, &server{pool: []wire.PoolHandle{"web", "db", "mail"}[i%3], id: wire.PEID(i/3 + 1), port: 80})
	}
	return n
}

// boot starts a registrar, with another identifier if fresh. It is told of all the others' addresses.
func (n *network) boot(x *node, fresh bool) {
	x.life++
	if fresh {
		x.id += wire.ServerID(len(n.nodes))
	}
	x.space = handlespace.New()
	cfg := enrp.Config{
		Self:  wire.ServerInfo{ID: x.id, Transport: info(wire.ServerID(x.index + 1)).Transport},
		Space: x.space, Rand: n.rnd, Timers: n.timers, MaxTableBytes: 200, LowerWins: len(n.nodes)%2 == 0,
	}
	for _, y := range n.nodes {
		if y != x {
			cfg.Known = append(cfg.Known, enrp.Peer{Transport: info(wire.ServerID(y.index + 1)).Transport})
		}
	}
	x.core = enrp.New(cfg)
	n.apply(x, x.core.Start(n.now))
}

func (e *server) key() handlespace.Key { return handlespace.Key{Pool: e.pool, PE: e.id} }

// connected says whether the element's home is still the process that it registered with.
func (e *server) connected() bool {
	return e.home != nil && e.home.core != nil && e.home.life == e.life
}

// register has an element register with a registrar that serves. The one that it was at before notices some time later.
func (n *network) register(e *server) {
	var ready []*node
	for _, x := range n.nodes {
		if x.ready {
			ready = append(ready, x)
		}
	}
	if len(ready) == 0 {
		return
	}
	n.registerAt(e, ready[n.rnd.IntN(len(ready))])
}

func (n *network) registerAt(e *server, x *node) {
	if n.calm && e.connected() && e.home != x && n.now.Sub(e.last) < time.Second {
		return
	}
	e.last = n.now
	if n.rnd.IntN(4) == 0 {
		e.port++
	}
	if e.connected() && e.home != x {
		n.forsake(e)
	}
	if e.session == 0 || e.home != x || e.life != x.life {
		n.sessions += 2
		e.session = n.sessions
	}
	e.alive, e.home, e.life = true, x, x.life
	we := element(e.id, 0)
	we.User.Port = e.port
	by := handlespace.Identify(client(e.session), handlespace.Proven)
	if known := x.space.Find(e.key()); known != nil && known.Identity() != "" && known.Identity() != by.Name() {
		x.space.Remove(e.key()) // the same element, in another session
	}
	el, _, err := x.space.Register(x.id, by, e.pool, we)
	if err != nil {
		n.wrong = append(n.wrong, err.Error())
		return
	}
	n.apply(x, x.core.Updated(n.now, wire.ActionAddPE, e.pool, el.Wire()))
}

// forsake ends an element's session with its home, which notices it later, and in the end removes the element.
func (n *network) forsake(e *server) {
	x, life, name := e.home, e.life, client(e.session).Peer()
	e.session = 0
	mine := func() bool {
		if x.core == nil || x.life != life {
			return false
		}
		el := x.space.Find(e.key())
		return el != nil && el.Home == x.id && el.Identity() == name
	}
	n.in(0, 5*time.Second, func() {
		if !mine() {
			return
		}
		x.space.SetState(e.key(), handlespace.Away)
		n.in(2*time.Second, 2*time.Second, func() {
			if mine() {
				n.remove(x, e.key())
			}
		})
	})
}

func (n *network) remove(x *node, k handlespace.Key) {
	el := x.space.Remove(k)
	n.apply(x, x.core.Updated(n.now, wire.ActionDeletePE, k.Pool, el.Wire()))
}

// reach is what ASAP does with elements that were taken over: it asks each to take us as its home. Half of them can be
// reached; the others have to come by themselves, or are removed.
func (n *network) reach(x *node, t enrp.TakeOver) {
	for _, e := range n.elements {
		life := x.life
		ours := func() bool {
			if x.core == nil || x.life != life {
				return false
			}
			el := x.space.Find(e.key())
			return el != nil && el.Home == x.id && el.Identity() == ""
		}
		if !ours() {
			continue
		}
		n.in(100*time.Millisecond, 2*time.Second, func() {
			if ours() && e.alive && e.id%2 == 0 {
				n.registerAt(e, x)
			}
		})
		n.in(8*time.Second, 12*time.Second, func() {
			if ours() {
				n.remove(x, e.key())
			}
		})
	}
}

// mind has an element look after itself: if its session ended it registers somewhere. If it is not a calm one, it registers
// again every now and then, which mends what its haste may have done.
func (n *network) mind(e *server) {
	n.in(100*time.Millisecond, 3*time.Second, func() {
		if n.over {
			return
		}
		if e.alive && (!e.connected() || !n.calm && n.rnd.IntN(20) == 0) {
			if e.connected() {
				n.registerAt(e, e.home)
			} else {
				n.register(e)
			}
		}
		n.mind(e)
	})
}

// disturb does one of the things that happen.
func (n *network) disturb() {
	x, y := n.nodes[n.rnd.IntN(len(n.nodes))], n.nodes[n.rnd.IntN(len(n.nodes))]
	e := n.elements[n.rnd.IntN(len(n.elements))]
	switch n.rnd.IntN(12) {
	case 0:
		if x.core != nil {
			n.kill(x)
		}
	case 1, 2:
		if x.core == nil {
			n.boot(x, n.rnd.IntN(2) == 0)
		}
	case 3:
		if x != y {
			n.part(x, y)
		}
	case 4, 5:
		clear(n.parted)
	case 6:
		if x != y {
			n.lose(x, y)
		}
	case 7:
		if e.alive && e.connected() && n.rnd.IntN(2) == 0 {
			e.alive = false
			if el := e.home.space.Find(e.key()); el != nil && el.Home == e.home.id {
				n.remove(e.home, e.key())
			}
		}
	case 8:
		if e.alive && e.connected() { // it dies
			e.alive = false
			n.forsake(e)
		}
	case 9:
		n.register(e)
		if !n.calm {
			n.in(0, 100*time.Millisecond, func() { n.register(e) })
		}
	default:
		n.register(e)
	}
}

// settle ends all disturbances: everybody is up and can reach everybody.
func (n *network) settle(quiet time.Duration) {
	clear(n.parted)
	for _, x := range n.nodes {
		if x.core == nil {
			n.boot(x, false)
		}
	}
	n.run(quiet)
}

// agree checks that all registrars have one and the same handlespace: every live element at its home, and no other.
func (n *network) agree() []string {
	wrong := slices.Clone(n.wrong)
	want := map[string]bool{}
	for _, e := range n.elements {
		if e.alive {
			want[fmt.Sprintf("%s %d port %d of %d", e.pool, e.id, e.port, e.home.id)] = true
		}
	}
	for _, x := range n.nodes {
		got := map[string]bool{}
		for k, e := range x.space.All(handlespace.Key{}) {
			got[fmt.Sprintf("%s %d port %d of %d", k.Pool, k.PE, e.User.Port, e.Home)] = true
		}
		for line := range got {
			if !want[line] {
				wrong = append(wrong, fmt.Sprintf("%d has %s", x.id, line))
			}
		}
		for line := range want {
			if !got[line] {
				wrong = append(wrong, fmt.Sprintf("%d lacks %s", x.id, line))
			}
		}
		for _, y := range n.nodes {
			if a, b := x.space.Checksum(y.id), y.space.Checksum(y.id); a != b {
				wrong = append(wrong, fmt.Sprintf("%d has checksum %04x of %d, which has %04x", x.id, a, y.id, b))
			}
		}
		if c := x.core.Counters(); c.Peers[enrp.Active] != len(n.nodes)-1 || c.Downloads != 0 {
			wrong = append(wrong, fmt.Sprintf("%d has peers %v, %d downloads", x.id, c.Peers, c.Downloads))
		}
	}
	slices.Sort(wrong)
	return wrong
}

func (n *network) mismatches() (sum uint64) {
	for _, x := range n.nodes {
		sum += x.core.Counters().Mismatches
	}
	return sum
}

// TestSimulation: whatever happens, in the end all agree.
func TestSimulation(t *testing.T) {
	seeds := uint64(200)
	if testing.Short() {
		seeds = 30
	}
	for seed := range seeds {
		n := newNetwork(seed, 2+int(seed%4), 30)
		n.calm = seed%8 < 4
		for _, x := range n.nodes {
			n.boot(x, false)
			n.run(n.between(0, time.Second))
		}
		for _, e := range n.elements {
			n.mind(e)
		}
		for range 120 {
			n.disturb()
			n.run(n.between(0, 2*time.Second))
		}
		n.settle(3 * time.Minute)
		n.over = true
		before := n.mismatches()
		n.run(10 * time.Second)
		wrong := n.agree()
		if after := n.mismatches(); after != before {
			wrong = append(wrong, fmt.Sprintf("%d checksums still differed", after-before))
		}
		if len(wrong) > 0 {
			t.Errorf("seed %d, %d registrars:\n  %s", seed, len(n.nodes), strings.Join(wrong[:min(len(wrong), 20)], "\n  "))
		}
	}
}
