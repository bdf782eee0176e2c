// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"fmt"
	"math"
	"net/netip"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/weir-lb/weir/agent/config"
	"github.com/weir-lb/weir/maps"
	"github.com/weir-lb/weir/registrar/wire"
)

// decoder reads what only a gateway has.
type decoder struct{ *config.Decoder }

// decodeConfig reads text over the defaults and checks everything that needs no
// look at the machine.
func decodeConfig(text []byte) (Config, *config.Faults) {
	cfg := DefaultConfig()
	d := decoder{new(config.Decoder)}
	d.Document(text, d.config(&cfg))
	cfg.Registrar.Complete()
	d.Faults.Add(cfg.check()...)
	return cfg, &d.Faults
}

func (d decoder) config(c *Config) config.Parser {
	return d.Object(map[string]config.Parser{
		"registrar":         d.Registrar(&c.Registrar),
		"interfaces":        config.List(d.Decoder, &c.Interfaces, d.Text),
		"services":          config.List(d.Decoder, &c.Services, d.service),
		"tunnel_source":     config.List(d.Decoder, &c.TunnelSource, d.source),
		"selection":         d.selection(&c.Selection),
		"guard":             d.guard(&c.Guard),
		"flows":             d.flows(&c.Flows),
		"errors_per_second": config.Number(d.Decoder, &c.ErrorsPerSecond, 1, 10_000_000),
		"recovery":          d.Duration(&c.Recovery, 0, 10*time.Minute),
		"bpf":               d.Path(&c.BPF, math.MaxInt),
		"metrics":           d.Optional(d.AddrPort(&c.Metrics), func() { c.Metrics = netip.AddrPort{} }),
		"control":           d.Path(&c.Control, config.MaxSocketPath),
		"log_level":         d.Level(&c.LogLevel),
	})
}

func (d decoder) service(s *ServiceConfig) config.Parser {
	return d.Object(map[string]config.Parser{
		"vip":  config.Scalar(d.Decoder, &s.VIP, parseVIP),
		"port": config.Number(d.Decoder, &s.Port, 1, math.MaxUint16),
		"protocol": config.OneOf(d.Decoder, &s.Protocol, "a protocol that can be served",
			wire.ProtocolTCP, wire.ProtocolUDP, wire.ProtocolSCTP, wire.ProtocolUDPLite, wire.ProtocolDCCP),
		"pool":       d.Pool(&s.Pool),
		"mode":       config.OneOf(d.Decoder, &s.Mode, "a way to forward", maps.NAT, maps.DSR, maps.IPIP, maps.GUE),
		"gue_port":   config.Number(d.Decoder, &s.GUEPort, 1, math.MaxUint16),
		"fragments":  config.OneOf(d.Decoder, &s.Fragments, "something to do with fragments", maps.ForwardFragments, maps.DropFragments),
		"slots":      config.Number(d.Decoder, &s.Slots, maps.MinSlots, maps.MaxSlots),
		"spread":     config.OneOf(d.Decoder, &s.Spread, "a way to spread flows", SpreadConsistent, SpreadPolicy),
		"affinity":   config.OneOf(d.Decoder, &s.Affinity, "what stays together", AffinityFlow, AffinityClient),
		"allow":      config.List(d.Decoder, &s.Allow, d.Prefix),
		"deny":       config.List(d.Decoder, &s.Deny, d.Prefix),
		"on_loss":    config.OneOf(d.Decoder, &s.OnLoss, "something to do with flows of a lost element", maps.ResetFlows, maps.MigrateFlows, maps.DrainFlows),
		"drain_time": d.Duration(&s.DrainTime, time.Second, 24*time.Hour),
	})
}

func (d decoder) selection(s *SelectionConfig) config.Parser {
	return d.Object(map[string]config.Parser{
		"key_file": d.Text(&s.KeyFile),
		"rotate":   d.Duration(&s.Rotate, time.Minute, 365*24*time.Hour),
	})
}

func (d decoder) guard(g *GuardConfig) config.Parser {
	return d.Object(map[string]config.Parser{
		"newcomers_per_second":  config.Number(d.Decoder, &g.NewcomersPerSecond, 1, 10_000_000),
		"per_source_per_second": config.Number(d.Decoder, &g.PerSourcePerSecond, 1, 10_000_000),
		"challenges_per_second": config.Number(d.Decoder, &g.ChallengesPerSecond, 1, 100_000_000),
		"packets_per_handshake": config.Number(d.Decoder, &g.PacketsPerHandshake, 8, math.MaxUint16),
	})
}

func (d decoder) flows(f *FlowsConfig) config.Parser {
	return d.Object(map[string]config.Parser{
		"max":      config.Number(d.Decoder, &f.Max, 1024, 1<<26),
		"tcp_idle": d.Duration(&f.TCPIdle, time.Second, maps.MaxIdle),
		"udp_idle": d.Duration(&f.UDPIdle, time.Second, maps.MaxIdle),
		"closing":  d.Duration(&f.Closing, time.Second, 10*time.Minute),
	})
}

func parseVIP(n *yaml.Node) (netip.Addr, error) {
	a, err := netip.ParseAddr(n.Value)
	switch {
	case err != nil:
		return a, fmt.Errorf("%q is not an IP address", n.Value)
	case a.Is4In6():
		return a, fmt.Errorf("%q is an IPv4 address in IPv6: write %s", n.Value, a.Unmap())
	case a.Zone() != "":
		return a, fmt.Errorf("%q has a zone: a service's address must be good everywhere", n.Value)
	case !a.IsGlobalUnicast():
		return a, fmt.Errorf("%q cannot be served: it is not the address of one host", n.Value)
	}
	return a, nil
}

// source reads an address that tunnels come from.
func (d decoder) source(a *netip.Addr) config.Parser { return config.Scalar(d.Decoder, a, parseHost) }

// parseHost reads an address that packets may come from.
func parseHost(n *yaml.Node) (netip.Addr, error) {
	a, err := netip.ParseAddr(n.Value)
	switch {
	case err != nil:
		return a, fmt.Errorf("%q is not an IP address", n.Value)
	case a.Zone() != "" || !a.IsGlobalUnicast() || a.Is4In6():
		return a, fmt.Errorf("%q is not an address that other hosts can answer to", n.Value)
	}
	return a, nil
}
