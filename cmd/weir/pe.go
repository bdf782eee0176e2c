// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"syscall"

	"github.com/weir-lb/weir/agent/pe"
	"github.com/weir-lb/weir/registrar/transport/psk"
)

const peUsage = `
Usage: weir pe --pool POOL --registrar HOST[:PORT] --identity NAME --key-file FILE --serve tcp://ADDRESS:PORT [flags]

Registers the server at --serve in a pool, and keeps it registered: it answers
keep-alives, registers again before the registration ends, and goes round the
registrars, with growing waits, when one is lost. With --check the server is
registered only while it is well: it leaves the pool after 3 failed checks in a
row, and comes back after 2 good ones in a row. The first check decides alone,
unless it fails: then 2 good ones in a row are needed.

Policies (RFC 5356), the same for all elements of a pool, and their flags:
  rr           round robin
  wrr          weighted round robin           --weight
  rand         random
  wrand        weighted random                --weight
  prio         priority                       --priority
  lu           least used                     --load-value
  lud          least used with degradation    --load-value --degradation
  plu          priority least used            --load-value --degradation
  rlu          randomized least used          --load-value

Signals:
  SIGTERM, SIGINT   leave the pool, stay for --drain, exit with status 0;
                    a second one ends the drain
  SIGHUP            read the key file again and register at once

Log lines on stderr: registered, deregistered, "connection lost", rejected.`

// runPE is weir pe.
func runPE(ctx context.Context, args []string, env env) error {
	cfg, err := parsePE(args, env)
	if err != nil {
		return err
	}
	nudge := make(chan os.Signal, 1) // a nudge while one is pending adds nothing
	signal.Notify(nudge, syscall.SIGHUP)
	defer signal.Stop(nudge)
	cfg.Nudge, cfg.Again = nudge, env.again
	return pe.Run(ctx, cfg)
}

// parsePE reads the flags, and then the key file that they name.
func parsePE(args []string, env env) (pe.Config, error) {
	f := newPEFlags(env)
	if err := parseFlags(f.set, args); err != nil {
		return pe.Config{}, err
	}
	cfg, err := f.config(env)
	if err != nil {
		return pe.Config{}, usagef("%w; weir pe --help lists the flags", err)
	}
	if cfg.Keys, err = psk.LoadKeys(f.keyFile); err != nil {
		return pe.Config{}, err
	}
	if !slices.Contains(cfg.Keys.Identities(), cfg.Identity) {
		return pe.Config{}, fmt.Errorf("%s has no key for identity %q; add the line that the registrar's key file has", f.keyFile, cfg.Identity)
	}
	return cfg, nil
}
