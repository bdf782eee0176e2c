// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"time"

	"github.com/weir-lb/weir/agent/nexthop"
	"github.com/weir-lb/weir/maps"
)

const (
	// Hops are renewed every renewEvery for renewFor, so that they end soon after this process does, and
	// packets' next hops are the kernel's again.
	renewEvery = time.Second
	renewFor   = 4 * time.Second
	// rightFor is how old an answer may be to be renewed: a finder that hangs says no more that it is right.
	rightFor = 2 * time.Second
)

// finder says where packets go next; see nexthop.Finder.
type finder interface {
	Follow([]netip.Addr)
	News() <-chan struct{}
	Answer() (*nexthop.Answer, time.Time)
}

// ways brings next hops into the kernel. One without a finder brings none.
type ways struct {
	finder   finder
	uplinks  *maps.Uplinks
	names    map[uint32]string // of interfaces
	changed  bool              // the elements, since they were followed
	followed []netip.Addr
	answer   *nexthop.Answer // that the kernel has; nil if it does not have all of one
	renewed  time.Time
	failed   bool // to write it
}

// news has a token when there is something to set.
func (w *ways) news() <-chan struct{} {
	if w.finder == nil {
		return nil
	}
	return w.finder.News()
}

// follow makes the elements' addresses those whose hops are wanted.
func (w *ways) follow(services []*service) {
	if w.finder == nil || !w.changed {
		return
	}
	w.changed = false
	var addrs []netip.Addr
	for _, s := range services {
		for key := range s.elements {
			addrs = append(addrs, key.addr.Addr())
		}
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	if addrs = slices.Compact(addrs); !slices.Equal(addrs, w.followed) {
		w.followed = addrs
		w.finder.Follow(addrs)
	}
}

// renew sets what is new, and makes what the kernel has count for another while, if it is right.
func (w *ways) renew(steering *maps.Steering, now time.Time) error {
	if w.finder == nil {
		return nil
	}
	w.renewed = now
	answer, right := w.finder.Answer()
	if answer != w.answer {
		w.answer = nil
		if err := errors.Join(w.uplinks.Set(answer.V4, answer.V6), steering.SetHops(answer.Hops)); err != nil {
			return err
		}
		w.answer = answer
	}
	if now.Sub(right) > rightFor {
		return nil
	}
	return w.uplinks.Renew(renewFor)
}

// lost: the rows may have lost their hops, which are set anew.
func (w *ways) lost(steering *maps.Steering) error {
	w.answer = nil
	if steering == nil {
		return nil
	}
	return steering.SetHops(nil)
}

// describe is by which hop an element is reached, for people; empty if the kernel is asked.
func (w *ways) describe(addr netip.Addr) string {
	if w.answer == nil {
		return ""
	}
	hop, known := w.answer.Hops[addr]
	if !known {
		return ""
	}
	return fmt.Sprintf("%s %s", w.names[hop.Interface], net.HardwareAddr(hop.To[:]))
}

// close ends all hops, as nobody follows them any more.
func (w *ways) close() error {
	if w.uplinks == nil {
		return nil
	}
	return w.uplinks.End()
}

// renewHops says once that something is wrong, and goes on trying.
func (r *reconciler) renewHops(now time.Time) {
	err := r.ways.renew(r.steering, now)
	if err != nil && !r.ways.failed {
		r.log.Error("write the next hops", "error", err)
	}
	r.ways.failed = err != nil
}
