// SPDX-License-Identifier: Apache-2.0

package main

import (
	"flag"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/weir-lb/weir/agent/pe"
	"github.com/weir-lb/weir/registrar/wire"
)

// policyFlags say how the pool chooses this element.
type policyFlags struct {
	set         *flag.FlagSet
	name        string
	weight      uint64
	priority    uint64
	load        float64 // percent
	degradation float64 // percent
}

func newPolicyFlags(s *flag.FlagSet) *policyFlags {
	f := &policyFlags{set: s}
	s.StringVar(&f.name, "policy", "rr", "the pool's selection `policy`: rr, wrr, rand, wrand, prio, lu, lud, plu or rlu")
	s.Uint64Var(&f.weight, "weight", 1, "this element's share of new flows under wrr and wrand, a whole `number` from 1")
	s.Uint64Var(&f.priority, "priority", 0, "under prio only elements of the greatest `number` get new flows")
	s.Float64Var(&f.load, "load-value", 0, "this element's load under lu, lud, plu and rlu, in `percent` from 0 to 100")
	s.Float64Var(&f.degradation, "degradation", 0, "what one more flow adds to the load under lud and plu, in `percent` from 0 to 100")
	return f
}

// policyChoice is a value of --policy.
type policyChoice struct {
	name   string
	values []string // the flags that it takes
	policy wire.Policy
}

// choices need values in range: check them before using a policy.
func (f *policyFlags) choices() []policyChoice {
	weight, priority, load, degradation := uint32(f.weight), uint32(f.priority), share(f.load), share(f.degradation)
	loads := []string{"load-value", "load", "load-interval", "max-connections"}
	degrading := append(slices.Clone(loads), "degradation")
	return []policyChoice{
		{"rr", nil, wire.RoundRobin()},
		{"wrr", []string{"weight"}, wire.WeightedRoundRobin(weight)},
		{"rand", nil, wire.Random()},
		{"wrand", []string{"weight"}, wire.WeightedRandom(weight)},
		{"prio", []string{"priority"}, wire.Priority(priority)},
		{"lu", loads, wire.LeastUsed(load)},
		{"lud", degrading, wire.LeastUsedWithDegradation(load, degradation)},
		{"plu", degrading, wire.PriorityLeastUsed(load, degradation)},
		{"rlu", loads, wire.RandomizedLeastUsed(load)},
	}
}

// share is percent of 0xffffffff, the full load (RFC 5356 3.1), and 0 of what is no percentage.
func share(percent float64) uint32 {
	if !isPercentage(percent) {
		return 0
	}
	return uint32(math.Round(percent / 100 * math.MaxUint32))
}

func isPercentage(v float64) bool { return v >= 0 && v <= 100 } // not so of NaN

func (f *policyFlags) setPolicy(cfg *pe.Config) error {
	choices := f.choices()
	i := slices.IndexFunc(choices, func(c policyChoice) bool { return c.name == f.name })
	if i < 0 {
		return fmt.Errorf("--policy %q is not %s", f.name, namesOf(choices, ""))
	}
	var err error
	f.set.Visit(func(given *flag.Flag) {
		takers := namesOf(choices, given.Name)
		if err == nil && takers != "" && !slices.Contains(choices[i].values, given.Name) {
			err = fmt.Errorf("--%s needs --policy %s", given.Name, takers)
		}
	})
	if err == nil {
		err = f.ranges()
	}
	cfg.Policy = choices[i].policy
	return err
}

func (f *policyFlags) ranges() error {
	switch {
	case f.weight < 1 || f.weight > math.MaxUint32:
		return fmt.Errorf("--weight %d is not from 1 to %d", f.weight, uint32(math.MaxUint32))
	case f.priority > math.MaxUint32:
		return fmt.Errorf("--priority %d is not from 0 to %d", f.priority, uint32(math.MaxUint32))
	case !isPercentage(f.load):
		return fmt.Errorf("--load-value %v is not from 0 to 100 percent", f.load)
	case !isPercentage(f.degradation):
		return fmt.Errorf("--degradation %v is not from 0 to 100 percent", f.degradation)
	}
	return nil
}

// namesOf lists the policies that take this flag, or all if it is "": "lu, lud, plu or rlu".
func namesOf(choices []policyChoice, takes string) string {
	var names []string
	for _, c := range choices {
		if takes == "" || slices.Contains(c.values, takes) {
			names = append(names, c.name)
		}
	}
	if last := len(names) - 1; last > 0 {
		return strings.Join(names[:last], ", ") + " or " + names[last]
	}
	return strings.Join(names, "")
}
