// SPDX-License-Identifier: Apache-2.0

package main

import (
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/weir-lb/weir/agent/hunt"
	"github.com/weir-lb/weir/agent/pe"
	"github.com/weir-lb/weir/registrar/transport"
	"github.com/weir-lb/weir/registrar/transport/psk"
	"github.com/weir-lb/weir/registrar/wire"
)

// resolveFlags are the values of the flags of weir resolve, as given.
type resolveFlags struct {
	set        *flag.FlagSet
	logLevel   *slog.Level
	registrars []string
	ca         string
	serverName string
	oldSuite   bool
	identity   string
	keyFile    string
	plain      bool
	transport  string
	multicast  string
	device     string
	watch      bool
	json       bool
	timeout    time.Duration
	stale      time.Duration
}

func newResolveFlags(env env) *resolveFlags {
	f := &resolveFlags{set: newFlags("resolve", resolveUsage, env)}
	s := f.set
	s.Func("registrar", "a registrar as `HOST[:PORT]`, port 3864 (or 3863 with --plain) if not given; repeat the flag or separate by commas", func(v string) error {
		f.registrars = append(f.registrars, strings.Split(v, ",")...)
		return nil
	})
	s.StringVar(&f.ca, "ca", "", "a PEM `file` with the authorities that sign registrars' certificates")
	s.StringVar(&f.serverName, "server-name", "", "the `name` or address that registrars' certificates must be for, instead of HOST")
	s.BoolVar(&f.oldSuite, "old-suite", false, "also offer TLS_RSA_WITH_AES_128_CBC_SHA, which RFC 5352 asks for, and which has no forward secrecy")
	s.StringVar(&f.identity, "identity", "", "the `name` of this user in the key files")
	s.StringVar(&f.keyFile, "key-file", "", "a `file` of lines identity:hexkey, mode 0600")
	s.BoolVar(&f.plain, "plain", false, "speak without TLS: whoever is on the way can forge the answer")
	s.StringVar(&f.transport, "transport", "tcp", "the `protocol` to speak with registrars over: tcp or sctp")
	s.StringVar(&f.multicast, "multicast", "", "a `GROUP:PORT` where registrars announce themselves, beside or in place of --registrar; IANA's is 224.0.1.185:3863, rsplib's 239.0.0.50:3863")
	s.StringVar(&f.device, "multicast-interface", "", "the `interface` to listen on for --multicast; the first that can if not given")
	s.BoolVar(&f.watch, "watch", false, "print changes and failovers, until interrupted")
	s.BoolVar(&f.json, "json", false, "print JSON, one object a line")
	s.DurationVar(&f.timeout, "timeout", 30*time.Second, "give up after this `duration`, without --watch")
	s.DurationVar(&f.stale, "stale", 5*time.Second, "with --watch, ask again after this `duration` if the registrar sends no updates")
	f.logLevel = logLevel(s)
	return f
}

func parseResolve(args []string, env env) (resolution, error) {
	f := newResolveFlags(env)
	pool, err := parseOneArg(f.set, args, "POOL")
	if err != nil {
		return resolution{}, err
	}
	r := resolution{
		pool: wire.PoolHandle(pool), timeout: f.timeout, watch: f.watch,
		printer: newPrinter(f.json, env.stdout), close: func() error { return nil },
	}
	r.cfg.Stale, r.cfg.Log = f.stale, newLogger(env.stderr, *f.logLevel)
	if err := f.check(pool); err != nil {
		return r, usagef("%w; weir resolve --help lists the flags", err)
	}
	r.cfg.Protocol = wire.ProtocolTCP
	if f.transport == "sctp" {
		r.cfg.Protocol = wire.ProtocolSCTP
	}
	if err := f.setRegistrars(&r); err != nil {
		return r, err
	}
	dialing, err := f.dialing()
	if err != nil {
		return r, err
	}
	r.cfg.Dial = hunt.Dialer(dialing, nil)
	return r, nil
}

func (f *resolveFlags) check(pool string) error {
	_, noName := transport.ASCIIName(f.serverName)
	switch {
	case pool == "" || len(pool) > maxPoolHandle:
		return fmt.Errorf("POOL has %d bytes, 1 to %d are possible", len(pool), maxPoolHandle)
	case len(f.registrars) == 0 && f.multicast == "":
		return errors.New("--registrar is missing")
	case f.transport != "tcp" && f.transport != "sctp":
		return fmt.Errorf("--transport %q is not tcp or sctp", f.transport)
	case f.multicast == "" && f.device != "":
		return errors.New("--multicast-interface needs --multicast")
	case f.timeout <= 0:
		return fmt.Errorf("--timeout %v is not positive", f.timeout)
	case f.stale < 100*time.Millisecond:
		return fmt.Errorf("--stale %v is below 100ms", f.stale)
	case (f.identity == "") != (f.keyFile == ""):
		return errors.New("--identity and --key-file need each other")
	case f.plain && (f.identity != "" || f.ca != "" || f.serverName != "" || f.oldSuite):
		return errors.New("--plain is without TLS: there is no use for keys and certificates")
	case f.identity != "" && (f.ca != "" || f.serverName != "" || f.oldSuite):
		return errors.New("--identity is instead of certificates: leave --ca, --server-name and --old-suite out")
	case noName != nil:
		return fmt.Errorf("--server-name %w", noName)
	case f.multicast != "" && !f.plain && f.identity == "" && f.serverName == "":
		return errors.New("--multicast needs --server-name: an address that anybody may announce is no identity")
	}
	return nil
}

// setRegistrars sets those of the flags, and joins the group of the others.
func (f *resolveFlags) setRegistrars(r *resolution) error {
	port := uint16(pe.PortTLS)
	if f.plain {
		port = pe.Port
	}
	for _, s := range f.registrars {
		at, err := parseRegistrar(s, port)
		if err != nil {
			return usagef("--registrar %w; weir resolve --help lists the flags", err)
		}
		r.cfg.Registrars = append(r.cfg.Registrars, at)
	}
	if f.multicast == "" {
		return nil
	}
	group, err := netip.ParseAddrPort(f.multicast)
	if err != nil || group.Port() == 0 || !group.Addr().IsMulticast() {
		return usagef("--multicast %q is not GROUP:PORT; weir resolve --help lists the flags", f.multicast)
	}
	if r.cfg.Hints, err = hunt.Listen(group, f.device, port, r.cfg.Log); err != nil {
		return err
	}
	r.close = r.cfg.Hints.Close
	return nil
}

// dialing is how a registrar proves itself, with the files that the flags name.
func (f *resolveFlags) dialing() (transport.DialConfig, error) {
	d := transport.DialConfig{Plain: f.plain, Identity: f.identity, ServerName: f.serverName, OldSuite: f.oldSuite}
	if f.identity != "" {
		keys, err := psk.LoadKeys(f.keyFile)
		if err != nil {
			return d, err
		}
		if !keys.Has(f.identity) {
			return d, fmt.Errorf("%s has no key for identity %q; add the line that the registrar's key file has", f.keyFile, f.identity)
		}
		d.Keys = keys
	}
	if f.ca != "" {
		pem, err := os.ReadFile(f.ca)
		if err != nil {
			return d, err
		}
		d.Roots = x509.NewCertPool()
		if !d.Roots.AppendCertsFromPEM(pem) {
			return d, fmt.Errorf("%s has no certificate in PEM", f.ca)
		}
	}
	return d, nil
}
