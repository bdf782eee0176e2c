// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/weir-lb/weir/agent/edge"
	"github.com/weir-lb/weir/agent/operate"
)

// poll is the pause between two looks at something that is awaited.
const poll = 10 * time.Millisecond

// await looks until the condition holds, and fails the test if it does not within patience.
func (n *network) await(what string, holds func() bool) {
	n.t.Helper()
	if !n.within(patience, holds) {
		n.t.Fatalf("%s: not within %s", what, patience)
	}
}

func (n *network) within(limit time.Duration, holds func() bool) bool {
	tick := time.NewTicker(poll)
	defer tick.Stop()
	deadline := time.After(limit)
	for {
		if holds() {
			return true
		}
		select {
		case <-deadline:
			return false
		case <-tick.C:
		}
	}
}

func (d *deployment) fetch() (s edge.Status, err error) {
	text, err := operate.FetchStatus(d.t.Context(), d.control())
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(text, &s)
}

func (d *deployment) status() edge.Status {
	d.t.Helper()
	s, err := d.fetch()
	d.must(err)
	return s
}

// element is an element of the first service; the zero value if it is not there.
func element(s edge.Status, i int) edge.ElementStatus {
	for _, e := range s.Services[0].Elements {
		if e.PE == peID(i) {
			return e
		}
	}
	return edge.ElementStatus{}
}

// awaitStates waits until the elements of the first service are in these states, "" for not there.
func (d *deployment) awaitStates(states ...string) {
	d.t.Helper()
	var seen []string
	holds := d.within(patience, func() bool {
		s := d.status()
		seen = nil
		for i := range states {
			seen = append(seen, element(s, i).State)
		}
		return slices.Equal(seen, states)
	})
	if !holds {
		d.t.Fatalf("the elements are %q after %s, want %q", seen, patience, states)
	}
}

// pinned lists what is below the pin directory, which may be missing.
func (n *network) pinned() (found []string) {
	n.t.Helper()
	err := filepath.WalkDir(n.pins, func(path string, e fs.DirEntry, err error) error {
		if err == nil && path != n.pins {
			found = append(found, path[len(n.pins)+1:])
		}
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		n.t.Fatal(err)
	}
	return found
}

// nothingLeft checks that the kernel holds nothing of weir, and still what was there before.
func (n *network) nothingLeft(there ...string) {
	n.t.Helper()
	if at := n.attached(); !slices.Equal(at, there) {
		n.t.Errorf("programs are attached to %v, want %v", at, there)
	}
	if left := n.pinned(); len(left) > 0 {
		n.t.Errorf("pinned: %v", left)
	}
}

// expectDeparted compares the elements that left the handlespace so far, by reason.
func (d *deployment) expectDeparted(reason string, want uint64) {
	d.t.Helper()
	s := d.status().Registrar.Departed
	got, ok := s[reason]
	if !ok {
		d.t.Fatalf("the status counts no departures as %q: %v", reason, s)
	}
	if got != want {
		d.t.Errorf("departures as %s: %d, want %d", reason, got, want)
	}
}

func describe(e edge.ElementStatus) string {
	return fmt.Sprintf("%s %s %s %d %s", e.PE, e.Identity, e.Address, e.Weight, e.State)
}
