// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/weir-lb/weir/agent/pu"
	"github.com/weir-lb/weir/registrar/wire"
)

const resolveUsage = `
Usage: weir resolve POOL --registrar HOST[:PORT] [flags]

Asks a registrar for the elements of a pool, as a pool user does, and prints
them in its order. Registrars are tried in turn, at most three at once, until
one proves who it is:
  by a certificate for its HOST, or for --server-name, of an authority in --ca
  (of the system's, if there is no --ca); this is the default
  by a pre-shared key: --identity and --key-file
  not at all: --plain, for registrars without TLS

With --watch it prints each change, until interrupted: + an element has come,
- it has left, ~ its values have changed; "failover" when the element that the
pool's policy chose has left and another one is chosen; ! what is wrong.

With --json it prints one object a line: "event" is pool, failover or error.

Exit status: 0 success, 1 no such pool, or no registrar, or no element that can
take work, 2 wrong usage.`

// resolution is what weir resolve does.
type resolution struct {
	pool    wire.PoolHandle
	timeout time.Duration
	watch   bool
	cfg     pu.Config
	printer printer
	close   func() error // what the configuration holds open
}

// printer shows what is resolved; it is a table or JSON.
type printer interface {
	pool(p pu.Pool) error
	change(old, now pu.Pool) error // of a pool that was shown
	failover(pool wire.PoolHandle, old, now wire.PoolElement) error
	fault(err error) error // in a watch, which goes on
}

func runResolve(ctx context.Context, args []string, env env) error {
	r, err := parseResolve(args, env)
	if err != nil {
		return err
	}
	defer r.close() // nothing is lost with a group that is left
	user, err := pu.New(r.cfg)
	if err != nil {
		return err
	}
	defer user.Close() // it is always nil
	if r.watch {
		return r.follow(ctx, user)
	}
	return r.once(ctx, user)
}

func (r resolution) once(ctx context.Context, user *pu.User) error {
	limited, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	p, err := user.Resolve(limited, r.pool)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("no registrar has answered within %v; --log-level debug says more", r.timeout)
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted")
	case err != nil:
		return err
	}
	return r.printer.pool(p)
}

// follow prints changes until ctx ends.
func (r resolution) follow(ctx context.Context, user *pu.User) error {
	w := watch{printer: r.printer, choose: func() (wire.PoolElement, error) { return user.Select(ctx, r.pool) }}
	for p, err := range user.Watch(ctx, r.pool) {
		if err := w.see(p, err); err != nil {
			return err
		}
	}
	return nil
}

// newPrinter is the one that was asked for.
func newPrinter(asJSON bool, out io.Writer) printer {
	if asJSON {
		return jsonPrinter{out}
	}
	return tablePrinter{out}
}
