// SPDX-License-Identifier: Apache-2.0

package traffic

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"time"
)

// Run is the program: the first argument names what to do, the rest are its flags.
func Run(ctx context.Context, args []string, in io.Reader, out io.Writer) error {
	if len(args) == 0 {
		return fmt.Errorf("say what to do: requests, load, hold, flood or plain")
	}
	f := parseFlags(args[0])
	if err := f.set.Parse(args[1:]); err != nil {
		return err
	}
	target, err := netip.ParseAddrPort(f.target)
	if err != nil {
		return fmt.Errorf("--target: %w", err)
	}
	enc := json.NewEncoder(out)
	switch args[0] {
	case "requests":
		return enc.Encode(Requests(ctx, target, f.count, f.parallel, f.timeout))
	case "load":
		return enc.Encode(Load(untilEOF(ctx, in), target, f.parallel, f.every, f.timeout))
	case "hold":
		return hold(ctx, target, f.count, f.timeout, in, enc)
	case "flood":
		sent, err := flood(ctx, floodConfig{target: target, iface: f.iface, rate: f.rate, last: f.last})
		if err != nil {
			return err
		}
		return enc.Encode(Flooded{Sent: sent})
	case "plain":
		return plain(ctx, target, f.timeout, enc)
	}
	return fmt.Errorf("%q is nothing this program does", args[0])
}

type flags struct {
	set      *flag.FlagSet
	target   string
	count    int
	parallel int
	every    time.Duration
	timeout  time.Duration
	iface    string
	rate     int
	last     time.Duration
}

func parseFlags(name string) *flags {
	f := &flags{set: flag.NewFlagSet(name, flag.ContinueOnError)}
	f.set.StringVar(&f.target, "target", "", "ADDRESS:PORT")
	f.set.IntVar(&f.count, "count", 1, "requests or connections")
	f.set.IntVar(&f.parallel, "parallel", 1, "clients at once")
	f.set.DurationVar(&f.every, "every", 5*time.Millisecond, "pause of each client between requests")
	f.set.DurationVar(&f.timeout, "timeout", 3*time.Second, "of a request")
	f.set.StringVar(&f.iface, "interface", "eth0", "to flood from")
	f.set.IntVar(&f.rate, "rate", 150_000, "packets a second")
	f.set.DurationVar(&f.last, "last", 5*time.Second, "how long to flood")
	return f
}

// untilEOF is a context that ends with in.
func untilEOF(ctx context.Context, in io.Reader) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, in) // whatever ended it, it is over
		cancel()
	}()
	return ctx
}
