// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/weir-lb/weir/agent/pe"
	"github.com/weir-lb/weir/registrar/wire"
)

// sessionFlags say how registrars are found and spoken with.
type sessionFlags struct {
	transport string
	plain     bool
	local     []string
	multicast string
	device    string
}

func newSessionFlags(s *flag.FlagSet) *sessionFlags {
	f := &sessionFlags{}
	s.StringVar(&f.transport, "transport", "tcp", "the `protocol` to speak with registrars over: tcp or sctp")
	s.BoolVar(&f.plain, "plain", false, "speak without TLS, with a registrar that is not secured; excludes --identity and --key-file")
	s.Func("local", "an `address` to register from, in place of the served one; several for --transport sctp: repeat the flag or separate by commas", func(v string) error {
		f.local = append(f.local, strings.Split(v, ",")...)
		return nil
	})
	s.StringVar(&f.multicast, "multicast", "", "a `GROUP:PORT` where registrars announce themselves, beside or in place of --registrar; IANA's is 224.0.1.185:3863, rsplib's 239.0.0.50:3863")
	s.StringVar(&f.device, "multicast-interface", "", "the `interface` to listen on for --multicast; the first that can if not given")
	return f
}

func (f *sessionFlags) setSession(cfg *pe.Config) error {
	cfg.Plain = f.plain
	switch f.transport {
	case "tcp":
		cfg.Protocol = wire.ProtocolTCP
	case "sctp":
		cfg.Protocol = wire.ProtocolSCTP
	default:
		return fmt.Errorf("--transport %q is not tcp or sctp", f.transport)
	}
	if err := f.setLocal(cfg); err != nil {
		return err
	}
	return f.setMulticast(cfg)
}

func (f *sessionFlags) setLocal(cfg *pe.Config) error {
	for _, s := range f.local {
		a, err := netip.ParseAddr(s)
		if err != nil || a.Zone() != "" || a.IsUnspecified() || a.IsMulticast() {
			return fmt.Errorf("--local %q is not an address of this machine", s)
		}
		cfg.Local = append(cfg.Local, a)
	}
	if len(cfg.Local) > 1 && cfg.Protocol != wire.ProtocolSCTP {
		return errors.New("--local with several addresses needs --transport sctp")
	}
	return nil
}

func (f *sessionFlags) setMulticast(cfg *pe.Config) error {
	if f.multicast == "" {
		if f.device != "" {
			return errors.New("--multicast-interface needs --multicast")
		}
		return nil
	}
	group, err := netip.ParseAddrPort(f.multicast)
	if err != nil || group.Port() == 0 || !group.Addr().IsMulticast() {
		return fmt.Errorf("--multicast %q is not GROUP:PORT", f.multicast)
	}
	cfg.Multicast.Group = group
	if f.device == "" {
		return nil
	}
	if _, err := net.InterfaceByName(f.device); err != nil {
		return fmt.Errorf("--multicast-interface %q: %w", f.device, err)
	}
	cfg.Multicast.Interface = f.device
	return nil
}
