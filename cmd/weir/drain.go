// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strconv"

	"github.com/weir-lb/weir/agent/edge"
	"github.com/weir-lb/weir/agent/operate"
)

const drainHelp = `
Usage: weir drain [--control PATH] POOL ELEMENT

Gives an element no new flows; those that it has go on until they end, which
weir status shows. ELEMENT is a PE identifier, as weir status shows it, or an
identity, for all of its elements in the pool. It stays drained, also when it
leaves and comes back and when the gateway restarts, until weir undrain. It is
this gateway that drains it; others are told each.`

const undrainHelp = `
Usage: weir undrain [--control PATH] POOL ELEMENT

Gives an element new flows again, as its state and its weight are. ELEMENT is
as for weir drain.`

const weightHelp = `
Usage: weir weight [--control PATH] POOL ELEMENT WEIGHT|auto

Gives an element this weight, 0 to 4294967295, instead of the one that follows
from its pool's policy, until weir weight with auto. 0: no new flows. ELEMENT is
as for weir drain, and the weight stays as long.`

func runDrain(ctx context.Context, args []string, env env) error {
	return runTarget(ctx, newFlags("drain", drainHelp, env), edge.CommandDrain, args, env)
}

func runUndrain(ctx context.Context, args []string, env env) error {
	return runTarget(ctx, newFlags("undrain", undrainHelp, env), edge.CommandUndrain, args, env)
}

// edgeControl adds --control, the gateway's: no registrar takes orders.
func edgeControl(fs *flag.FlagSet) *string {
	return fs.String("control", operate.Edge.DefaultControl(), "the `path` of the gateway's control socket")
}

func runTarget(ctx context.Context, fs *flag.FlagSet, command string, args []string, env env) error {
	control := edgeControl(fs)
	target, err := parsePositional(fs, args, "POOL", "ELEMENT")
	if err != nil {
		return err
	}
	return order(ctx, *control, command, edge.Target{Pool: target[0], Element: target[1]}, env.stdout)
}

func runWeight(ctx context.Context, args []string, env env) error {
	fs := newFlags("weight", weightHelp, env)
	control := edgeControl(fs)
	found, err := parsePositional(fs, args, "POOL", "ELEMENT", "WEIGHT")
	if err != nil {
		return err
	}
	request := edge.Weighting{Target: edge.Target{Pool: found[0], Element: found[1]}}
	if found[2] != "auto" {
		n, err := strconv.ParseUint(found[2], 10, 32)
		if err != nil {
			return usagef("WEIGHT %q is neither a number from 0 to 4294967295 nor auto", found[2])
		}
		weight := uint32(n)
		request.Weight = &weight
	}
	return order(ctx, *control, edge.CommandWeight, request, env.stdout)
}

// order gives the gateway an order, and says a line for each element that it is for.
func order(ctx context.Context, control, command string, request any, out io.Writer) error {
	var done edge.Ordered
	if err := operate.Order(ctx, control, command, request, &done); err != nil {
		return err
	}
	for _, e := range done.Elements {
		if _, err := fmt.Fprintln(out, e); err != nil {
			return err
		}
	}
	return nil
}
