// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

// command is one subcommand. run gets the arguments after the subcommand's
// name, and a context that the first SIGINT or SIGTERM cancels.
type command struct {
	name    string
	summary string // one line, for weir help
	run     func(ctx context.Context, args []string, env env) error
}

// env is what a subcommand gets from the process.
type env struct {
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
	// again is closed by the second SIGINT or SIGTERM; a third one kills.
	again <-chan struct{}
}

// commands is the table of subcommands, in the order of weir help.
func commands() []command {
	return []command{
		{"edge", "run the gateway: the registrar, its guard and the steering", runEdge},
		{"registrar", "run a registrar without a data plane", runRegistrar},
		{"pe", "keep a server registered in a pool (the sidecar)", runPE},
		{"resolve", "show the elements of a pool, as a pool user sees them", runResolve},
		{"status", "show the gateway or the registrar on this machine", runStatus},
		{"drain", "give an element of the gateway no new flows", runDrain},
		{"undrain", "give an element that was drained new flows again", runUndrain},
		{"weight", "give an element of the gateway another weight", runWeight},
		{"decode", "print the ASAP and ENRP messages of a capture", runDecode},
		{"demo", "show a whole deployment on real traffic", runDemo},
		{"version", "print the version of this binary", runVersion},
		{"help", "describe a subcommand", runHelp},
	}
}

func main() {
	ctx, again, stop := interrupts()
	status := run(ctx, os.Args[1:], env{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, again: again})
	stop()
	os.Exit(status)
}

// run dispatches to a subcommand and returns the exit status.
func run(ctx context.Context, args []string, env env) int {
	if len(args) == 0 {
		fmt.Fprintln(env.stderr, "weir: a subcommand is missing; weir help lists them")
		return statusUsage
	}
	name := args[0]
	if name == "-h" || name == "-help" || name == "--help" {
		name = "help"
	}
	c, ok := find(name)
	if !ok {
		fmt.Fprintf(env.stderr, "weir: unknown subcommand %q; weir help lists them\n", name)
		return statusUsage
	}
	return report(c, c.run(ctx, args[1:], env), env)
}

func find(name string) (command, bool) {
	for _, c := range commands() {
		if c.name == name {
			return c, true
		}
	}
	return command{}, false
}

// report writes one sentence for err and returns the exit status.
func report(c command, err error, env env) int {
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return statusOK
	}
	fmt.Fprintf(env.stderr, "weir %s: %v\n", c.name, err)
	var exit *exitError
	if errors.As(err, &exit) {
		return exit.status
	}
	return statusFailure
}
