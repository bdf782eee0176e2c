// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/weir-lb/weir/agent/operate"
	"github.com/weir-lb/weir/registrar/wire"
)

// The commands of the control socket.
const (
	CommandDrain   = "drain"   // a Target: no new flows for the element
	CommandUndrain = "undrain" // a Target: as if it had never been drained
	CommandWeight  = "weight"  // a Weighting
)

// Target is what an order is about: a pool's element, by its PE identifier as the status shows it, or
// those of an identity.
type Target struct {
	Pool    string `json:"pool"`
	Element string `json:"element"`
}

// Weighting is a weight for an element; nil: that of the pool's policy again.
type Weighting struct {
	Target
	Weight *uint32 `json:"weight"`
}

// Ordered is the answer to a command: what it was taken for.
type Ordered struct {
	Elements []OrderedElement `json:"elements"`
}

// OrderedElement is an element of a service.
type OrderedElement struct {
	Service string `json:"service"`
	ElementStatus
}

// String is a line for people.
func (e OrderedElement) String() string {
	return fmt.Sprintf("%s  %s (%s) at %s: %s, weight %s, %.1f%% of new flows, %d flows now",
		e.Service, e.PE, cmp.Or(e.Identity, "-"), e.Address, e.state(), e.weight(), 100*e.Share, e.Flows)
}

// commands are what the control socket takes.
func (g *gateway) commands() map[string]operate.Command {
	drained := func(yes bool) operate.Command {
		return orderCommand(g, func(t Target) (Target, func(*order)) {
			return t, func(o *order) { o.drained = yes }
		})
	}
	return map[string]operate.Command{
		CommandDrain:   drained(true),
		CommandUndrain: drained(false),
		CommandWeight: orderCommand(g, func(w Weighting) (Target, func(*order)) {
			return w.Target, func(o *order) {
				o.weighed, o.weight = w.Weight != nil, 0
				if o.weighed {
					o.weight = *w.Weight
				}
			}
		}),
	}
}

// orderCommand reads a request R, which says about whom it is and what changes, and takes the order on the
// reconciler's goroutine.
func orderCommand[R any](g *gateway, meaning func(R) (Target, func(*order))) operate.Command {
	return func(ctx context.Context, body []byte) (any, error) {
		var request R
		if err := json.Unmarshal(body, &request); err != nil {
			return nil, fmt.Errorf("read the request: %w", err)
		}
		target, change := meaning(request)
		var done Ordered
		var err error
		asked := g.reconcile.ask(ctx, func(r *reconciler) { done, err = r.command(target, change) })
		return done, errors.Join(asked, err)
	}
}

// command takes an order, and says what it is for by now. It returns when packets are steered by it.
func (r *reconciler) command(t Target, change func(*order)) (Ordered, error) {
	pool := wire.PoolHandle(t.Pool)
	services := r.servicesOf(pool)
	if len(services) == 0 {
		return Ordered{}, fmt.Errorf("no service has a pool %q: there are %s", t.Pool, r.poolNames())
	}
	named := find(services, t.Element)
	if len(named) == 0 {
		return Ordered{}, fmt.Errorf("pool %s has no element %q: %s", t.Pool, t.Element, elementNames(services))
	}
	var changed Ordered
	var errs []error
	for _, s := range services {
		for key, e := range s.elements {
			if slices.ContainsFunc(named, key.isLike) {
				change(&e.order)
			}
		}
		if c, ok := r.pools[pool]; ok {
			s.weigh(c.pool)
		}
		errs = append(errs, r.write(s))
		changed.Elements = append(changed.Elements, r.ordered(s, named)...)
	}
	for _, e := range changed.Elements {
		r.log.Info("an operator's order", "service", e.Service, "element", e.PE, "identity", e.Identity, "address", e.Address,
			"drained", e.Drained, "weight", e.Weight, "weight_ordered", e.Weighed)
	}
	return changed, errors.Join(errs...)
}

// ordered are the service's elements that are like those that were named.
func (r *reconciler) ordered(s *service, named []elementKey) (all []OrderedElement) {
	status := s.status(r.flowsOf(s), r.ways.describe)
	for key := range s.elements {
		if !slices.ContainsFunc(named, key.isLike) {
			continue
		}
		i := slices.IndexFunc(status.Elements, func(e ElementStatus) bool {
			return e.PE == key.pe.String() && e.Address == key.addr.String()
		})
		all = append(all, OrderedElement{Service: status.VIP, ElementStatus: status.Elements[i]})
	}
	slices.SortFunc(all, func(a, b OrderedElement) int {
		return cmp.Or(cmp.Compare(a.PE, b.PE), cmp.Compare(a.Address, b.Address))
	})
	return all
}

// find lists the elements of that identifier; if there is none, those of that identity.
func find(services []*service, name string) (found []elementKey) {
	id, err := strconv.ParseUint(name, 0, 32)
	for _, s := range services {
		for key := range s.elements {
			if err == nil && key.pe == wire.PEID(id) {
				found = append(found, key)
			}
		}
	}
	if len(found) > 0 {
		return found
	}
	for _, s := range services {
		for key, e := range s.elements {
			if name != "" && e.identity == name {
				found = append(found, key)
			}
		}
	}
	return found
}

// mostNames bounds what an error names.
const mostNames = 16

func (r *reconciler) poolNames() string {
	var names []string
	for _, s := range r.services {
		names = append(names, string(s.pool))
	}
	return list(names)
}

func elementNames(services []*service) string {
	var names []string
	for _, s := range services {
		for key, e := range s.elements {
			name := key.pe.String()
			if e.identity != "" {
				name += " (" + e.identity + ")"
			}
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return "it has none"
	}
	return "it has " + list(names)
}

// list joins names, each once.
func list(names []string) string {
	slices.Sort(names)
	names = slices.Compact(names)
	if more := len(names) - mostNames; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:mostNames], ", "), more)
	}
	return strings.Join(names, ", ")
}
