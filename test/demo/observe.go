// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/weir-lb/weir/agent/edge"
	"github.com/weir-lb/weir/agent/operate"
)

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K { return slices.Sorted(maps.Keys(m)) }

// poll is the pause between two looks at something that is awaited.
const poll = 20 * time.Millisecond

// await looks until the condition holds, and returns how long that took.
func await(ctx context.Context, limit time.Duration, what string, holds func() bool) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	began := time.Now()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		if holds() {
			return time.Since(began), nil
		}
		select {
		case <-ctx.Done():
			return time.Since(began), fmt.Errorf("%s: not within %s", what, limit)
		case <-tick.C:
		}
	}
}

// pause waits for a fixed time, as a person watching would.
func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func (d *deployment) status(ctx context.Context) (edge.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	text, err := operate.FetchStatus(ctx, d.control())
	if err != nil {
		return edge.Status{}, err
	}
	var s edge.Status
	return s, json.Unmarshal(text, &s)
}

// elements are those of the web pool by identity, in the given state ("" for any).
func (d *deployment) elements(ctx context.Context, state string) map[string]edge.ElementStatus {
	found := map[string]edge.ElementStatus{}
	status, err := d.status(ctx)
	if err != nil {
		return found // the gateway is on its way up: ask again
	}
	for _, s := range status.Services {
		for _, e := range s.Elements {
			if s.Pool == "web" && (state == "" || e.State == state) {
				found[e.Identity] = e
			}
		}
	}
	return found
}

// awaitActive waits until exactly the given identities are active in the web pool.
func (d *deployment) awaitActive(ctx context.Context, limit time.Duration, identities ...string) (time.Duration, error) {
	slices.Sort(identities)
	return await(ctx, limit, fmt.Sprintf("active elements %v", identities), func() bool {
		return slices.Equal(sortedKeys(d.elements(ctx, "active")), identities)
	})
}

func allIdentities() []string {
	var all []string
	for i := range servers {
		all = append(all, identity(i))
	}
	return all
}

// verdicts are the packets counted so far, by verdict.
func (d *deployment) verdicts(ctx context.Context) (map[string]uint64, error) {
	status, err := d.status(ctx)
	if err != nil {
		return nil, err
	}
	packets := map[string]uint64{}
	for _, v := range status.Verdicts {
		packets[v.Name] = v.Packets
	}
	if len(packets) == 0 {
		return nil, errors.New("the gateway shows no verdicts")
	}
	return packets, nil
}
