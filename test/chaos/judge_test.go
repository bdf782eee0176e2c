// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/weir-lb/weir/agent/operate"
	"github.com/weir-lb/weir/agent/server"
)

// mostAbsent is how long a live element may be without an entry.
const mostAbsent = 3 * heartbeat

// judge looks at all registrars all the time. An entry is an element that is up: what a resolution would give.
//
// Of the registrars that clients can ask at least one must show a live element, always. One that is not parted from another
// must go on to show what it has shown once, whatever happens to others: a home that could not reach its element tells that it
// is gone, the element then is at another registrar, and who is parted from that cannot know. One that was cut off has lost
// whom it could not ask, and finds that out for as long as an answer to a keep-alive may take: it is looked at again when it
// knows.
type judge struct {
	*deployment

	mu       sync.Mutex
	live     map[int]bool // expected, and whether the element has said that it is registered
	views    [registrars]view
	anywhere map[int]time.Time // when any registrar showed a live element last
	polls    int
	longest  time.Duration // without an entry
	faults   []string
}

// view is what is asked of one registrar.
type view struct {
	gone   int               // dead or cut off: clients cannot ask it
	parted int               // from others
	from   time.Time         // when it is looked at again
	shown  map[int]time.Time // when it showed a live element last
}

func newJudge(d *deployment) *judge {
	j := &judge{deployment: d, live: map[int]bool{}, anywhere: map[int]time.Time{}}
	for i := range j.views {
		j.views[i].shown = map[int]time.Time{}
	}
	return j
}

// expect begins to ask for an element, as soon as it says that it is registered.
func (j *judge) expect(e int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.live[e] = false
}

// forget asks for an element no longer. It returns false if that was not registered.
func (j *judge) forget(e int) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if !j.live[e] {
		return false
	}
	delete(j.live, e)
	delete(j.anywhere, e)
	for i := range j.views {
		delete(j.views[i].shown, e)
	}
	return true
}

// change notes what happens to a registrar. What it has shown until then counts no longer.
func (j *judge) change(i int, happens func(*view)) {
	j.mu.Lock()
	defer j.mu.Unlock()
	happens(&j.views[i])
	clear(j.views[i].shown)
}

// run looks until ctx ends.
func (j *judge) run(ctx context.Context) {
	var all sync.WaitGroup
	for i := range registrars {
		all.Go(func() {
			for ctx.Err() == nil {
				j.look(ctx, i)
				select {
				case <-time.After(200 * time.Millisecond):
				case <-ctx.Done():
				}
			}
		})
	}
	all.Go(func() { j.listen(ctx) })
	all.Wait()
}

// listen finds out who is registered.
func (j *judge) listen(ctx context.Context) {
	for ctx.Err() == nil {
		j.mu.Lock()
		var waiting []int
		for e, said := range j.live {
			if !said {
				waiting = append(waiting, e)
			}
		}
		for _, e := range waiting {
			if j.registered(e) {
				j.live[e], j.anywhere[e] = true, time.Now()
			}
		}
		j.mu.Unlock()
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

func (j *judge) look(ctx context.Context, i int) {
	asked := time.Now()
	s, err := j.status(ctx, i)
	if err != nil {
		return // it is dead, or starting: whoever must answer is found out in the end
	}
	shows := s.up()
	j.mu.Lock()
	defer j.mu.Unlock()
	v := &j.views[i]
	if v.gone > 0 {
		return
	}
	j.polls++
	whole := v.parted == 0 && !asked.Before(v.from)
	for e, registered := range j.live {
		if !registered {
			continue
		}
		if shows[peID(e)] {
			v.shown[e], j.anywhere[e] = asked, asked
		}
		j.missed("every registrar", e, asked, j.anywhere)
		if whole {
			j.missed(registrarName(i), e, asked, v.shown)
		}
	}
}

// missed judges how long an element has not been seen.
func (j *judge) missed(where string, e int, asked time.Time, seen map[int]time.Time) {
	last, ok := seen[e]
	if !ok {
		return
	}
	absent := asked.Sub(last)
	j.longest = max(j.longest, absent)
	if absent > mostAbsent {
		j.faults = append(j.faults, fmt.Sprintf("%s: %s has been without %s for %v",
			time.Now().UTC().Format("15:04:05.000"), where, elementName(e), absent.Round(time.Millisecond)))
		delete(seen, e) // one fault is enough
	}
}

// status is what a registrar's control socket shows.
type status struct{ operate.RegistrarStatus }

func (j *judge) status(ctx context.Context, i int) (status, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	text, err := operate.FetchStatus(ctx, j.control(i))
	if err != nil {
		return status{}, err
	}
	var s server.Status
	err = json.Unmarshal(text, &s)
	return status{s.Registrar}, err
}

// up are the elements that a resolution would give.
func (s status) up() map[string]bool {
	up := map[string]bool{}
	for _, e := range s.entries() {
		up[e.PE] = e.State == "up"
	}
	return up
}

func (s status) entries() []operate.PoolElementStatus {
	i := slices.IndexFunc(s.Pools, func(p operate.PoolStatus) bool { return p.Pool == pool })
	if i < 0 {
		return nil
	}
	return s.Pools[i].Elements
}

// agreement says what keeps the registrars from knowing the same: all live elements, each with one home, or "".
func (j *judge) agreement(ctx context.Context) string {
	var all [registrars]status
	for i := range all {
		var err error
		if all[i], err = j.status(ctx, i); err != nil {
			return fmt.Sprintf("%s: %v", registrarName(i), err)
		}
		if n := len(all[i].up()); n != elements {
			return fmt.Sprintf("%s knows %d elements of %d", registrarName(i), n, elements)
		}
	}
	for i, s := range all {
		for k, e := range s.entries() {
			if o := all[0].entries()[k]; e.PE != o.PE || e.Home != o.Home || e.Address != o.Address || e.State != o.State {
				return fmt.Sprintf("%s has %+v, %s has %+v", registrarName(0), o, registrarName(i), e)
			}
		}
		if fault := checksums(s, all[:]); fault != "" {
			return registrarName(i) + ": " + fault
		}
	}
	return ""
}

// checksums compares what a registrar has of its peers with what these have of themselves (RFC 5353 3.6).
func checksums(s status, all []status) string {
	if len(s.Peers) != registrars-1 {
		return fmt.Sprintf("%d peers", len(s.Peers))
	}
	for _, p := range s.Peers {
		k := slices.IndexFunc(all, func(o status) bool { return o.ServerID == p.ServerID })
		switch {
		case k < 0:
			return "an unknown peer " + p.ServerID
		case p.State != "active":
			return p.ServerID + " is " + p.State
		case p.Checksum != all[k].Checksum:
			return fmt.Sprintf("checksum %s of %s, which has %s", p.Checksum, p.ServerID, all[k].Checksum)
		}
	}
	return ""
}

func (j *judge) verdict() (faults []string, summary string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.faults, fmt.Sprintf("%d looks, longest without an entry %v", j.polls, j.longest.Round(time.Millisecond))
}

func head(lines []string, n int) string { return strings.Join(lines[:min(n, len(lines))], "\n") }
