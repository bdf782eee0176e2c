// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/weir-lb/weir/agent/pe"
	"github.com/weir-lb/weir/registrar/wire"
)

// maxPoolHandle is the longest pool handle in bytes that a message can carry
// beside a pool element (RFC 5354 3.9).
const maxPoolHandle = 65000

// peFlags are the values of the flags of weir pe, as given.
type peFlags struct {
	set        *flag.FlagSet
	logLevel   *slog.Level
	pool       string
	registrars []string
	identity   string
	keyFile    string
	session    *sessionFlags
	serve      string
	control    bool
	service    uint64
	policy     *policyFlags
	load       *loadFlags
	receive    *receiveFlags
	id         string
	life       time.Duration
	drain      time.Duration
	check      string
	interval   time.Duration
	attempts   int
}

func newPEFlags(env env) *peFlags {
	f := &peFlags{set: newFlags("pe", peUsage, env)}
	s := f.set
	s.StringVar(&f.pool, "pool", "", "the `handle` of the pool to join")
	s.Func("registrar", "a registrar as `HOST[:PORT]`, port 3864 if not given, 3863 with --plain; repeat the flag or separate by commas", func(v string) error {
		f.registrars = append(f.registrars, strings.Split(v, ",")...)
		return nil
	})
	s.StringVar(&f.identity, "identity", "", "the `name` of this element in the key files")
	s.StringVar(&f.keyFile, "key-file", "", "a `file` of lines identity:hexkey, mode 0600")
	f.session = newSessionFlags(s)
	s.StringVar(&f.serve, "serve", "", "the server's `URL`: tcp://ADDRESS:PORT, udp, udplite, dccp, or sctp, which may have several addresses with commas between them")
	s.BoolVar(&f.control, "control-channel", false, "clients may open a control channel beside their data, for --serve sctp://…")
	s.Uint64Var(&f.service, "service-code", 0, "the service code of --serve dccp://…, a `number`")
	f.policy = newPolicyFlags(s)
	f.load = newLoadFlags(s)
	f.receive = newReceiveFlags(s)
	s.StringVar(&f.id, "id", "", "the PE `identifier`, such as 0x00c0ffee; a random one if not given")
	s.DurationVar(&f.life, "life", 10*time.Minute, "how long a registration lasts if not renewed: a `duration` in whole seconds")
	s.DurationVar(&f.drain, "drain", 30*time.Second, "a `duration` to stay after leaving the pool, for established flows")
	s.StringVar(&f.check, "check", "", "a `URL` to check the server with: http://…, https://… or tcp://HOST:PORT")
	s.DurationVar(&f.interval, "check-interval", time.Second, "the `duration` from one check to the next, and a check's time limit")
	s.IntVar(&f.attempts, "attempts", 0, "give up after a `number` of hunts that never led to a registration; 0 never does")
	f.logLevel = logLevel(s)
	return f
}

// config checks the flags in the order in which a reader would fix them.
func (f *peFlags) config(env env) (pe.Config, error) {
	cfg := pe.Config{
		Pool:          wire.PoolHandle(f.pool),
		Life:          f.life,
		Identity:      f.identity,
		Attempts:      f.attempts,
		CheckInterval: f.interval,
		Drain:         f.drain,
		Log:           newLogger(env.stderr, *f.logLevel),
	}
	for _, check := range []func(*pe.Config) error{f.required, f.ranges, f.session.setSession, f.setRegistrars, f.setUser, f.policy.setPolicy, f.load.setLoad, f.setID, f.setCheck} {
		if err := check(&cfg); err != nil {
			return cfg, err
		}
	}
	return cfg, nil
}

func (f *peFlags) required(*pe.Config) error {
	if f.session.plain && (f.identity != "" || f.keyFile != "") {
		return errors.New("--plain excludes --identity and --key-file: without TLS nobody proves anything")
	}
	for _, r := range []struct {
		name, value string
		needed      bool
	}{
		{"pool", f.pool, true},
		{"registrar", strings.Join(f.registrars, ","), f.session.multicast == ""},
		{"identity", f.identity, !f.session.plain},
		{"key-file", f.keyFile, !f.session.plain},
		{"serve", f.serve, true},
	} {
		if r.needed && r.value == "" {
			return fmt.Errorf("--%s is missing", r.name)
		}
	}
	return nil
}

func (f *peFlags) ranges(*pe.Config) error {
	const maxLife = math.MaxInt32 * time.Second
	switch {
	case len(f.pool) > maxPoolHandle:
		return fmt.Errorf("--pool has %d bytes, at most %d are possible", len(f.pool), maxPoolHandle)
	case f.life < time.Second || f.life > maxLife || f.life%time.Second != 0:
		return fmt.Errorf("--life %v is not a number of whole seconds from 1s to %v", f.life, maxLife)
	case f.drain < 0:
		return fmt.Errorf("--drain %v is negative", f.drain)
	case f.interval < 10*time.Millisecond:
		return fmt.Errorf("--check-interval %v is below 10ms", f.interval)
	case f.attempts < 0:
		return fmt.Errorf("--attempts %d is negative", f.attempts)
	}
	return nil
}

func (f *peFlags) setID(cfg *pe.Config) error {
	if f.id == "" {
		cfg.ID = pe.NewID()
		return nil
	}
	id, err := strconv.ParseUint(f.id, 0, 32)
	if err != nil || id == 0 {
		return fmt.Errorf("--id %q is not a number from 0x1 to 0xffffffff", f.id)
	}
	cfg.ID = wire.PEID(id)
	return nil
}
