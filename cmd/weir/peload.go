// SPDX-License-Identifier: Apache-2.0

package main

import (
	"flag"
	"fmt"
	"net/netip"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/weir-lb/weir/agent/pe"
	"github.com/weir-lb/weir/agent/pe/load"
	"github.com/weir-lb/weir/registrar/wire"
)

// loadFlags say how the element's load is measured.
type loadFlags struct {
	set      *flag.FlagSet
	source   string
	interval time.Duration
	most     int
}

func newLoadFlags(s *flag.FlagSet) *loadFlags {
	f := &loadFlags{set: s}
	s.StringVar(&f.source, "load", "", "measure and report the load, in place of --load-value: a `source`, cpu, cpu:CGROUP, connections, exec:CMD or http:URL")
	s.DurationVar(&f.interval, "load-interval", 2*time.Second, "the `duration` from one measurement to the next, and a measurement's time limit")
	s.IntVar(&f.most, "max-connections", 0, "the `number` of connections that is full load for --load connections")
	return f
}

func (f *loadFlags) given(name string) (found bool) {
	f.set.Visit(func(given *flag.Flag) { found = found || given.Name == name })
	return found
}

// setLoad comes after setUser and setPolicy.
func (f *loadFlags) setLoad(cfg *pe.Config) error {
	switch counts := f.source == "connections"; {
	case f.given("load") && f.given("load-value"):
		return fmt.Errorf("--load and --load-value exclude each other")
	case f.source == "" && f.given("load-interval"):
		return fmt.Errorf("--load-interval needs --load")
	case !counts && f.given("max-connections"):
		return fmt.Errorf("--max-connections needs --load connections")
	case counts && f.most < 1:
		return fmt.Errorf("--load connections needs --max-connections, a number from 1")
	case f.interval < 100*time.Millisecond:
		return fmt.Errorf("--load-interval %v is below 100ms", f.interval)
	case !f.given("load"):
		return nil
	}
	sampler, err := f.sampler(cfg.User)
	cfg.Load, cfg.LoadInterval = sampler, f.interval
	return err
}

func (f *loadFlags) sampler(user wire.Transport) (load.Sampler, error) {
	kind, value, _ := strings.Cut(f.source, ":")
	switch kind {
	case "cpu":
		return f.cpu(value)
	case "connections":
		if user.Protocol != wire.ProtocolTCP {
			return nil, fmt.Errorf("--load connections needs --serve tcp://ADDRESS:PORT")
		}
		return load.Connections(netip.AddrPortFrom(user.Addrs[0], user.Port), f.most), nil
	case "exec":
		return f.command(value)
	case "http", "https":
		return f.page(value)
	}
	return nil, fmt.Errorf("--load %q is not cpu, cpu:CGROUP, connections, exec:CMD or http:URL", f.source)
}

func (f *loadFlags) cpu(group string) (load.Sampler, error) {
	switch {
	case f.source == "cpu":
		return load.CPU(), nil
	case !filepath.IsAbs(group):
		return nil, fmt.Errorf("--load %q: the control group is not a directory below /sys/fs/cgroup", f.source)
	}
	return load.Cgroup(group), nil
}

// command splits at white space, and at nothing else: there is no shell.
func (f *loadFlags) command(line string) (load.Sampler, error) {
	argv := strings.Fields(line)
	if len(argv) == 0 {
		return nil, fmt.Errorf("--load %q names no program", f.source)
	}
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return nil, fmt.Errorf("--load %q: %w", f.source, err)
	}
	argv[0] = path
	return load.Command(argv), nil
}

// page takes http:URL as well as the URL alone.
func (f *loadFlags) page(value string) (load.Sampler, error) {
	text := f.source
	if !strings.HasPrefix(value, "//") {
		text = value
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("--load %q is not http:http://… or http:https://…", f.source)
	}
	return load.HTTP(text), nil
}
