// SPDX-License-Identifier: Apache-2.0

package nexthop

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// verifyEvery is how often a neighbour has to answer. When it has changed its address without a word,
	// the kernel gives it up after three probes, a second each, and asks everybody.
	verifyEvery = 3 * time.Second
	// keepRate is how many neighbours a second are asked for or verified at most: with more than keepRate
	// times verifyEvery of them, each is verified less often.
	keepRate = 500
	// keepRefused is how long nothing is asked of a kernel that refused.
	keepRefused = 5 * time.Second
	// maxRouters is how many routers to clients are kept: more than there are ways to clients.
	maxRouters = 64
)

// keeper keeps neighbours resolved ahead of traffic: it has the kernel manage them (NTF_EXT_MANAGED, which
// goes on when this process is dead), and makes it verify them, which it does of itself only when it sends
// to them. What somebody else has fixed or manages stays his.
type keeper struct {
	kernel  *kernel
	log     *slog.Logger
	order   []target // that are wanted
	next    int      // of them, to be verified
	turns   float64  // how many are due to be
	credit  float64  // how many may be, or be asked for
	stepped time.Time
	silent  map[target]bool // said not to answer
	refused time.Time       // when the kernel refused; zero if it did not
}

func newKeeper(k *kernel, log *slog.Logger) *keeper {
	return &keeper{kernel: k, log: log, silent: map[target]bool{}}
}

// keep makes these the neighbours to keep, and lets go of others.
func (k *keeper) keep(wanted map[target]bool, neighbors map[target]neighbor) error {
	k.order = k.order[:0]
	for t := range wanted {
		k.order = append(k.order, t)
	}
	slices.SortFunc(k.order, func(a, b target) int { return cmp.Or(cmp.Compare(a.out, b.out), a.addr.Compare(b.addr)) })
	for t := range k.silent {
		if !wanted[t] {
			delete(k.silent, t)
		}
	}
	return k.letGo(wanted, neighbors)
}

// step does what is due, and no more than the rate allows. Who is kept is verified also when the kernel takes
// no more, as it does when its table is full.
func (k *keeper) step(now time.Time, neighbors map[target]neighbor, links map[int]link) {
	elapsed := min(now.Sub(k.stepped), time.Second)
	k.stepped = now
	k.credit = min(k.credit+elapsed.Seconds()*keepRate, keepRate)
	err := k.verify(elapsed, neighbors)
	if now.Sub(k.refused) >= keepRefused {
		if err = errors.Join(err, k.manage(neighbors, links)); err == nil {
			k.refused = time.Time{}
		}
	}
	if err == nil {
		return
	}
	if k.refused.IsZero() {
		k.log.Warn("the kernel does not keep next hops resolved: they are when packets need them", "error", err)
	}
	k.refused = now
}

// spend takes one from the credit if there is one.
func (k *keeper) spend() bool {
	if k.credit < 1 {
		return false
	}
	k.credit--
	return true
}

// manage has the kernel resolve what it does not yet, or not any more.
func (k *keeper) manage(neighbors map[target]neighbor, links map[int]link) error {
	for _, t := range k.order {
		n := neighbors[t]
		again := k.judge(t, n, links[t.out].name)
		if n.fixed() || n.managed && !again {
			continue
		}
		if !k.spend() {
			return nil
		}
		if err := k.kernel.manage(t, n); err != nil {
			return fmt.Errorf("resolve %s: %w", t.addr, err)
		}
		if !n.managed { // which the kernel does not tell of one that is new, before it is resolved or fails
			n.managed, n.protocol = true, protocol
			neighbors[t] = n
		}
	}
	return nil
}

// judge says once that a neighbour does not answer, and that it does again. True: it has just been given up,
// and may be somewhere else.
func (k *keeper) judge(t target, n neighbor, ifname string) bool {
	switch {
	case n.state == unix.NUD_FAILED && !k.silent[t]:
		k.silent[t] = true
		k.log.Warn("a next hop does not answer", "neighbour", t.addr, "interface", ifname)
		return true
	case n.resolved() && k.silent[t]:
		delete(k.silent, t)
		k.log.Info("a next hop answers again", "neighbour", t.addr, "interface", ifname)
	}
	return false
}

// verify has the next ones probed, so many that each has its turn in time.
func (k *keeper) verify(elapsed time.Duration, neighbors map[target]neighbor) error {
	k.turns += float64(len(k.order)) * elapsed.Seconds() / verifyEvery.Seconds()
	for ; k.turns >= 1 && k.spend(); k.turns-- {
		if k.next++; k.next >= len(k.order) {
			k.next = 0
		}
		t := k.order[k.next]
		n := neighbors[t]
		if n.fixed() || n.state&(unix.NUD_REACHABLE|unix.NUD_STALE|unix.NUD_DELAY) == 0 {
			continue
		}
		if err := k.kernel.probe(t, n); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("probe %s: %w", t.addr, err)
		}
	}
	k.turns = min(k.turns, 1)
	return nil
}

// letGo ends the keeping of neighbours that are ours and not among the wanted, those of an earlier run too.
func (k *keeper) letGo(wanted map[target]bool, neighbors map[target]neighbor) error {
	var errs []error
	for t, n := range neighbors {
		if n.managed && n.protocol == protocol && !wanted[t] {
			errs = append(errs, k.kernel.release(t, n))
		}
	}
	return errors.Join(errs...)
}
