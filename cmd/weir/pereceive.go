// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"flag"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"

	"github.com/weir-lb/weir/agent/pe"
	"github.com/weir-lb/weir/agent/pe/receive"
)

// gueAssigned is IANA's port for GUE, which gateways send to if nothing else is said.
const gueAssigned = 6080

// receiveFlags say how a gateway's packets come, other than by NAT.
type receiveFlags struct {
	set    *flag.FlagSet
	mode   string
	vips   []string
	device string
	port   uint64
}

func newReceiveFlags(s *flag.FlagSet) *receiveFlags {
	f := &receiveFlags{set: s}
	s.StringVar(&f.mode, "receive", "", "take packets as gateways send them in a `mode` of forwarding, ipip, gue or dsr; needs --vip")
	s.Func("vip", "an `address` of services that this server answers for; repeat the flag or separate by commas", func(v string) error {
		f.vips = append(f.vips, strings.Split(v, ",")...)
		return nil
	})
	s.StringVar(&f.device, "interface", "", "the `interface` that packets come in by, for --receive; that of the served address if not given")
	s.Uint64Var(&f.port, "gue-port", gueAssigned, "the UDP `port` of --receive gue")
	return f
}

// config comes after setUser, and is nil without --receive.
func (f *receiveFlags) config(cfg *pe.Config) (*receive.Config, error) {
	given := map[string]bool{}
	f.set.Visit(func(g *flag.Flag) { given[g.Name] = true })
	mode := receive.Mode(f.mode)
	switch {
	case f.mode == "" && (len(f.vips) > 0 || f.device != ""):
		return nil, errors.New("--vip and --interface need --receive")
	case given["gue-port"] && mode != receive.GUE:
		return nil, errors.New("--gue-port needs --receive gue")
	case f.mode == "":
		return nil, nil
	case !slices.Contains([]receive.Mode{receive.IPIP, receive.GUE, receive.DSR}, mode):
		return nil, fmt.Errorf("--receive %q is not ipip, gue or dsr", f.mode)
	case len(f.vips) == 0:
		return nil, errors.New("--receive needs --vip: what this server answers for")
	case f.port == 0 || f.port > math.MaxUint16:
		return nil, fmt.Errorf("--gue-port %d is not from 1 to 65535", f.port)
	}
	r := &receive.Config{Mode: mode, Interface: f.device, At: cfg.User.Addrs, GUEPort: uint16(f.port), Log: cfg.Log}
	for _, s := range f.vips {
		vip, err := netip.ParseAddr(s)
		if err != nil || vip.Zone() != "" || vip.Is4In6() || !vip.IsGlobalUnicast() {
			return nil, fmt.Errorf("--vip %q is not an address of a service", s)
		}
		if slices.Contains(cfg.User.Addrs, vip) {
			return nil, fmt.Errorf("--vip %s is where this server is found (--serve); a VIP is the services' own address", vip)
		}
		r.VIPs = append(r.VIPs, vip)
	}
	return r, nil
}
