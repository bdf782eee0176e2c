// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"math"
	"slices"
)

// median of what the rounds say.
func median(rounds []round, of func(round) float64) float64 {
	var all []float64
	for _, r := range rounds {
		all = append(all, of(r))
	}
	slices.Sort(all)
	return all[len(all)/2]
}

func bare(rounds []round, name string) float64 {
	return median(rounds, func(r round) float64 { return r.Bare[name] })
}

// net is what a packet of the case costs: without its stream, which drops each.
func net(rounds []round, at int) float64 {
	return median(rounds, func(r round) float64 { return r.Subjects[at] }) -
		median(rounds, func(r round) float64 { return r.Nothing[at] }) + bare(rounds, bareDrop)
}

// least is the same of the rounds that others of the machine disturbed least.
func least(rounds []round, at int) float64 {
	subject, nothing, drop := math.Inf(1), math.Inf(1), math.Inf(1)
	for _, r := range rounds {
		subject, nothing, drop = min(subject, r.Subjects[at]), min(nothing, r.Nothing[at]), min(drop, r.Bare[bareDrop])
	}
	return subject - nothing + drop
}

// report prints a line for each case; of two programs, the other's beside it.
func report(to io.Writer, cases []testCase, mine, theirs []round) {
	fmt.Fprintf(to, "%-44s %9s %9s %9s %9s %5s", "case", "ns/packet", "the least", "x XDP_TX", "at most", "met")
	if theirs != nil {
		fmt.Fprintf(to, " %12s %9s %9s", "other's ns", "the least", "x XDP_TX")
	}
	fmt.Fprintln(to)
	for _, name := range []string{bareDrop, bareTX} {
		fmt.Fprintf(to, "%-44s %9.0f %9s %9.2f\n", name, bare(mine, name), "", bare(mine, name)/bare(mine, bareTX))
	}
	for i, c := range cases {
		ns := net(mine, i)
		fmt.Fprintf(to, "%-44s %9.0f %9.0f %9.2f %s", c.name, ns, least(mine, i), ns/bare(mine, bareTX), verdictOn(c.limit, ns/bare(mine, bareTX)))
		if theirs != nil {
			ns := net(theirs, i)
			fmt.Fprintf(to, " %12.0f %9.0f %9.2f", ns, least(theirs, i), ns/bare(theirs, bareTX))
		}
		fmt.Fprintln(to)
	}
}

// verdictOn is a case's limit, and whether it is kept.
func verdictOn(limit, ratio float64) string {
	switch {
	case limit == 0:
		return fmt.Sprintf("%9s %5s", "-", "")
	case ratio <= limit:
		return fmt.Sprintf("%9.1f %5s", limit, "yes")
	}
	return fmt.Sprintf("%9.1f %5s", limit, "no")
}
