// SPDX-License-Identifier: Apache-2.0

// Command datapath measures what the XDP program costs for each packet, as the kernel tells it (BPF_PROG_TEST_RUN): the
// whole program, with everything compiled in, on one core. It needs root. It prints a table: see docs/bench/datapath.txt.
//
// All cases take turns, a round after another, with a bare XDP_DROP and XDP_TX in each; of all rounds the median counts. A
// test run uses one packet again and again, as the last run left it: a small program before the one that is measured writes
// each packet anew, of another client each time, and what it costs alone is subtracted. Rounds in which somebody had BPF
// statistics switched on are done again, because these cost as much as a packet.
//
// With -against it starts the same command as it was built earlier, whose rounds alternate with its own: two programs
// are compared in one run.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"regexp"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/weir-lb/weir/test/bench/machine"
	"github.com/weir-lb/weir/test/lab"
)

type options struct {
	rounds  int
	repeat  int
	only    *regexp.Regexp
	against string
	serve   bool
}

func main() {
	var o options
	flag.IntVar(&o.rounds, "rounds", 11, "how often each case is measured")
	flag.IntVar(&o.repeat, "repeat", 1_000_000, "packets of each measurement")
	only := flag.String("cases", ".", "a regular expression: the cases to measure")
	flag.StringVar(&o.against, "against", "", "another build of this command, to compare with")
	flag.BoolVar(&o.serve, "serve", false, "as the child of this command: a round for each line of the input")
	flag.Parse()
	var err error
	if o.only, err = regexp.Compile(*only); err == nil {
		err = run(o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "datapath:", err)
		os.Exit(1)
	}
}

func run(o options) (err error) {
	if err := onOneCore(); err != nil {
		return fmt.Errorf("stay on one core: %w", err)
	}
	network, err := lab.New("bench", slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, network.Close()) }()
	b, err := newBench(network, selectCases(o.only), o.repeat)
	defer func() { err = errors.Join(err, b.Close()) }()
	if err != nil {
		return err
	}
	if o.serve {
		return serve(b, os.Stdin, os.Stdout)
	}
	return measure(b, o, os.Stdout)
}

func selectCases(only *regexp.Regexp) (selected []testCase) {
	for _, c := range cases() {
		if only.MatchString(c.name) {
			selected = append(selected, c)
		}
	}
	return selected
}

// onOneCore keeps this goroutine on the last core that the process may use.
func onOneCore() error {
	runtime.LockOSThread()
	var all, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return err
	}
	for cpu := range 1024 {
		if all.IsSet(cpu) {
			one.Zero()
			one.Set(cpu)
		}
	}
	return unix.SchedSetaffinity(0, &one)
}

func measure(b *bench, o options, to io.Writer) (err error) {
	fmt.Fprintf(to, "# %s\n# ns of a load that depends on the last one, from 256 KiB: %.1f, from 32 MiB: %.1f; medians of %d rounds of %d packets\n",
		machine.Describe(), machine.Latency(256<<10), machine.Latency(32<<20), o.rounds, o.repeat)
	var other *opponent
	if o.against != "" {
		if other, err = start(o); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, other.stop()) }()
	}
	var mine, theirs []round
	for range o.rounds {
		r, err := b.round()
		if err != nil {
			return err
		}
		mine = append(mine, r)
		if other == nil {
			continue
		}
		if r, err = other.round(); err != nil {
			return err
		}
		theirs = append(theirs, r)
	}
	report(to, b.cases, mine, theirs)
	return b.describe(to)
}
