// SPDX-License-Identifier: Apache-2.0

package nexthop

import (
	"context"
	"log/slog"
	stdmaps "maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/weir-lb/weir/maps"
)

const (
	// settle is how long the finder waits for more after the first of several changes.
	settle = 10 * time.Millisecond
	// readShare: reading everything anew takes at most one part in so many of a core; findShare: so does to
	// find all answers anew, which is sooner needed.
	readShare = 20
	findShare = 5
	// readAgain is when everything is read though nothing was heard to change, or after a failure.
	readAgain  = 30 * time.Second
	readFailed = time.Second
	// beat is how often the finder says that it still is right.
	beat = 250 * time.Millisecond
)

// Config says for what hops are found.
type Config struct {
	Interfaces []int // indexes of those that may be a hop's
	Log        *slog.Logger
}

// Answer is what is known at a time. It does not change.
type Answer struct {
	Hops   map[netip.Addr]maps.Hop // by which addresses that are followed are reached; others are not known
	V4, V6 []maps.Uplink           // ways to everywhere; the first that fits counts
}

func (a *Answer) equal(b *Answer) bool {
	return stdmaps.Equal(a.Hops, b.Hops) && slices.Equal(a.V4, b.V4) && slices.Equal(a.V6, b.V6)
}

// Finder follows the kernel's tables and answers. Its exported methods may be called from any goroutine.
type Finder struct {
	log    *slog.Logger
	ours   map[int]bool
	kernel *kernel
	ear    *ear
	asked  chan struct{} // holds a token when others are to be followed
	news   chan struct{} // holds a token when there is another answer

	mu     sync.Mutex
	wanted []netip.Addr
	answer *Answer
	right  time.Time // when the answer last was

	// Run's own.
	keeper    *keeper
	network   *network
	neighbors map[target]neighbor
	stale     bool      // the network may have changed
	failing   bool      // to read it
	readAt    time.Time // when the network is read
	rested    time.Time // before which it is not read
	answerAt  time.Time // when the answer is found anew; zero if nothing changed
	found     time.Time // before which no change has it found anew, but of the network
}

// Open begins to listen in the network namespace of its caller. Nothing is known before Run.
func Open(cfg Config) (*Finder, error) {
	ear, err := openEar()
	if err != nil {
		return nil, err
	}
	kernel, err := openKernel()
	if err != nil {
		ear.Close()
		return nil, err
	}
	f := &Finder{
		log: cfg.Log, ours: map[int]bool{}, kernel: kernel, ear: ear, asked: make(chan struct{}, 1), news: make(chan struct{}, 1),
		answer: &Answer{}, keeper: newKeeper(kernel, cfg.Log), stale: true,
	}
	for _, index := range cfg.Interfaces {
		f.ours[index] = true
	}
	return f, nil
}

// Follow makes these the addresses whose hops are wanted.
func (f *Finder) Follow(addrs []netip.Addr) {
	f.mu.Lock()
	f.wanted = addrs
	f.mu.Unlock()
	ring(f.asked)
}

// News has a token when there is another answer.
func (f *Finder) News() <-chan struct{} { return f.news }

// Answer is the newest, and when it last was known to be right; zero if never yet.
func (f *Finder) Answer() (*Answer, time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.answer, f.right
}

func ring(bell chan struct{}) {
	select {
	case bell <- struct{}{}:
	default:
	}
}

// Run follows the kernel until ctx ends. The neighbours that it kept are the kernel's own then.
func (f *Finder) Run(ctx context.Context) error {
	f.follow(ctx)
	return f.keeper.letGo(nil, f.neighbors)
}

func (f *Finder) follow(ctx context.Context) {
	ctx, stop := context.WithCancel(ctx)
	var listening sync.WaitGroup
	listening.Go(func() { f.ear.listen(ctx) })
	defer func() { stop(); f.ear.Close(); listening.Wait() }()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case h := <-f.ear.heard:
			f.hear(h, time.Now())
		case <-f.asked:
			f.answerAt = later(time.Now(), f.found)
			f.step(time.Now())
		case <-timer.C:
			f.step(time.Now())
		}
		timer.Reset(time.Until(f.deadline(time.Now())))
	}
}

// Close lets go of the sockets of a finder that does not run, or no more.
func (f *Finder) Close() error {
	f.ear.Close()
	return f.kernel.Close()
}

// hear takes what the kernel tells. Of neighbours that is all there is to know; of everything else it says
// only that it is to be read again.
func (f *Finder) hear(h heard, now time.Time) {
	changed := h.lost
	for _, m := range h.messages {
		if !isNeighbor(m) {
			changed = true
		} else if f.hearNeighbor(m) && f.answerAt.IsZero() {
			f.answerAt = later(now.Add(settle), f.found)
		}
	}
	if changed && !f.stale {
		f.stale, f.readAt = true, later(now.Add(settle), f.rested)
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// step does what is due.
func (f *Finder) step(now time.Time) {
	if !now.Before(f.readAt) {
		f.read(now)
	}
	if !f.answerAt.IsZero() && !now.Before(f.answerAt) && f.network != nil {
		f.find()
		f.answerAt, f.found = time.Time{}, now.Add(findShare*time.Since(now))
	}
	if f.network != nil {
		f.keeper.step(now, f.neighbors, f.network.links)
	}
	if !f.stale && f.answerAt.IsZero() {
		f.mu.Lock()
		f.right = now
		f.mu.Unlock()
	}
}

func (f *Finder) deadline(now time.Time) time.Time {
	next := now.Add(beat)
	for _, at := range []time.Time{f.readAt, f.answerAt} {
		if !at.IsZero() && at.Before(next) {
			next = at
		}
	}
	return next
}

// read reads the network and its neighbours anew. As long as it fails the answer is not known to be right.
func (f *Finder) read(now time.Time) {
	neighbors := f.neighbors
	tables, err := f.kernel.read()
	if err == nil {
		neighbors, err = f.kernel.neighbors(f.ours)
	}
	if err != nil {
		if !f.failing {
			f.log.Warn("cannot follow the kernel's routes: it is asked for every packet's next hop", "error", err)
		}
		f.failing, f.stale, f.readAt = true, true, now.Add(readFailed)
		return
	}
	took := time.Since(now)
	f.network, f.neighbors = newNetwork(tables, f.ours), neighbors
	f.stale, f.failing = false, false
	f.readAt, f.rested, f.answerAt = now.Add(readAgain), now.Add(readShare*took), now
}

// find answers anew, and has the neighbours kept that the answer needs.
func (f *Finder) find() {
	f.mu.Lock()
	wanted := f.wanted
	f.mu.Unlock()
	a, needed := &Answer{Hops: map[netip.Addr]maps.Hop{}}, f.network.routers()
	for _, addr := range wanted {
		to, w, ok := f.network.neighbor(addr)
		if !ok {
			continue
		}
		needed[to] = true
		if hop := f.network.hop(w, f.neighbors[to]); hop != (maps.Hop{}) {
			hop.Router = to.addr != addr
			a.Hops[addr] = hop
		}
	}
	if err := f.keeper.keep(needed, f.neighbors); err != nil {
		f.log.Warn("neighbours stay managed by the kernel that are no next hops any more", "error", err)
	}
	a.V4, a.V6 = f.network.uplinks(&f.network.v4, f.neighbors), f.network.uplinks(&f.network.v6, f.neighbors)
	if a.equal(f.answer) {
		return
	}
	f.mu.Lock()
	f.answer = a
	f.mu.Unlock()
	ring(f.news)
}
