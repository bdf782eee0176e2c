// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/weir-lb/weir/agent/pe"
	"github.com/weir-lb/weir/agent/pe/receive"
	"github.com/weir-lb/weir/registrar/transport/psk"
)

const peUsage = `
Usage: weir pe --pool POOL --registrar HOST[:PORT] --identity NAME --key-file FILE --serve tcp://ADDRESS:PORT [flags]
       weir pe --pool POOL --registrar HOST[:PORT] --plain --transport sctp --serve sctp://ADDRESS:PORT [flags]

Registers the server at --serve in a pool, and keeps it registered: it answers
keep-alives, registers again before the registration ends, and hunts for another
registrar, with growing waits, when its own is lost or does not answer. With
--check the server is registered only while it is well: it leaves the pool after
3 failed checks in a row, and comes back after 2 good ones in a row. The first
check decides alone, unless it fails: then 2 good ones in a row are needed.

Policies (RFC 5356), the same for all elements of a pool, and their flags:
  rr           round robin
  wrr          weighted round robin           --weight
  rand         random
  wrand        weighted random                --weight
  prio         priority                       --priority
  lu           least used                     --load or --load-value
  lud          least used with degradation    --load or --load-value, --degradation
  plu          priority least used            --load or --load-value, --degradation
  rlu          randomized least used          --load or --load-value

Load, in place of a fixed --load-value; all elements of a pool must mean the
same by it (RFC 5356 3.1):
  --load cpu            the machine's busy share of CPU time
  --load cpu:CGROUP     that of a control group (version 2), a directory below
                        /sys/fs/cgroup, out of its quota or all CPUs
  --load connections    established TCP connections to --serve, out of
                        --max-connections
  --load exec:CMD       a program prints a number from 0 to 100; CMD is split
                        at white space, no shell is involved
  --load http:URL       a GET is answered with status 2xx and a number from 0
                        to 100
Measurements are smoothed. A change of 5 % or more is reported within a second,
by registering again, a smaller one within 30 s. When one fails the last load
stays, after 3 failures in a row it counts as full until one succeeds.

Gateways that forward to this server by another mode than nat (root only):
  --receive ipip        packets come in IP packets, of either family
  --receive gue         packets come in UDP datagrams to --gue-port
  --receive dsr         packets come as they are
  --vip ADDRESS         the services' address, which the server must listen at,
                        or at all: it is added to the loopback interface
All of it is taken back at the end. One weir pe of a host receives, for all VIPs.

Signals:
  SIGTERM, SIGINT   leave the pool, stay for --drain, exit with status 0;
                    a second one ends the drain
  SIGHUP            read the key file again and register at once

Log lines on stderr: registered, deregistered, "connection lost", rejected,
"adopted home registrar", "registration not answered".`

// runPE is weir pe.
func runPE(ctx context.Context, args []string, env env) error {
	cfg, receiving, err := parsePE(args, env)
	if err != nil {
		return err
	}
	if cfg.Plain {
		cfg.Log.Warn("registering without TLS: neither end proves who it is")
	}
	nudge := make(chan os.Signal, 1) // a nudge while one is pending adds nothing
	signal.Notify(nudge, syscall.SIGHUP)
	defer signal.Stop(nudge)
	cfg.Nudge, cfg.Again = nudge, env.again
	if receiving == nil {
		return pe.Run(ctx, cfg)
	}
	// From before the first registration until after the drain.
	receiver, err := receive.Open(*receiving)
	if err != nil {
		return err
	}
	return errors.Join(pe.Run(ctx, cfg), receiver.Close())
}

// parsePE reads the flags, and then the key file that they name. Without --receive there is no
// configuration for it.
func parsePE(args []string, env env) (pe.Config, *receive.Config, error) {
	f := newPEFlags(env)
	if err := parseFlags(f.set, args); err != nil {
		return pe.Config{}, nil, err
	}
	cfg, err := f.config(env)
	if err != nil {
		return pe.Config{}, nil, usagef("%w; weir pe --help lists the flags", err)
	}
	receiving, err := f.receive.config(&cfg)
	if err != nil {
		return pe.Config{}, nil, usagef("%w; weir pe --help lists the flags", err)
	}
	if cfg.Plain {
		return cfg, receiving, nil
	}
	if cfg.Keys, err = psk.LoadKeys(f.keyFile); err != nil {
		return pe.Config{}, nil, err
	}
	if !cfg.Keys.Has(cfg.Identity) {
		return pe.Config{}, nil, fmt.Errorf("%s has no key for identity %q; add the line that the registrar's key file has", f.keyFile, cfg.Identity)
	}
	return cfg, receiving, nil
}
