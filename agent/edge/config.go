// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"time"

	"github.com/weir-lb/weir/agent/config"
	"github.com/weir-lb/weir/agent/operate"
	"github.com/weir-lb/weir/maps"
	"github.com/weir-lb/weir/registrar/wire"
)

// Config is the configuration of one gateway. LoadConfig reads it from YAML.
type Config struct {
	Registrar  config.Registrar
	Interfaces []string // names, at least one, each present when the file was read
	Services   []ServiceConfig
	// TunnelSource is where tunnels to elements come from, at most one a family; else the route says it.
	TunnelSource []netip.Addr
	Selection    SelectionConfig
	Guard        GuardConfig
	Flows        FlowsConfig
	// ErrorsPerSecond is how many ICMP errors about packets that do not fit are sent at most, 1-10000000.
	ErrorsPerSecond int
	Recovery        time.Duration  // after a restart: how long elements of the last run stay without their registration, 0-10m
	BPF             string         // absolute path of the pin directory, on a bpffs
	Metrics         netip.AddrPort // the zero value: no metrics
	Control         string         // absolute path of the control socket
	LogLevel        slog.Level
}

// ServiceConfig is one virtual address and the pool that answers for it.
type ServiceConfig struct {
	VIP       netip.Addr    // IPv4 or IPv6
	Port      uint16        // 1-65535
	Protocol  wire.Protocol // one of those with ports
	Pool      wire.PoolHandle
	Mode      maps.Mode      // how packets reach the elements
	GUEPort   uint16         // maps.GUE: the UDP port at the elements, 1-65535; 0: maps.GUEPort
	Slots     int            // of its selection table, maps.MinSlots-maps.MaxSlots; 0: maps.SelectionSlots
	Fragments maps.Fragments // of its packets, in both directions
	Spread    Spread
	Affinity  Affinity
	Allow     []netip.Prefix // clients that may use it; none: all
	Deny      []netip.Prefix // clients that may not
	OnLoss    maps.OnLoss    // what becomes of flows whose element is lost
	DrainTime time.Duration  // maps.DrainFlows: how long they stay, 1s-24h; 0: DefaultDrainTime
}

func (c ServiceConfig) isIPv6() bool { return c.VIP.Is6() }

// DefaultDrainTime is how long flows of a lost element stay if the service drains them.
const DefaultDrainTime = 5 * time.Minute

// GuardConfig is what strangers may spend at the registrar's port.
type GuardConfig struct {
	NewcomersPerSecond  int // SYNs of strangers, all together; the burst is the same, 1-10000000
	PerSourcePerSecond  int // SYNs of one source address, 1-10000000
	ChallengesPerSecond int // proofs of address that XDP answers at most, 1-100000000
	PacketsPerHandshake int // packets of a stranger's connection before it is admitted, 8-65535
}

// FlowsConfig sizes the flow table and ages its entries.
type FlowsConfig struct {
	Max     int           // entries, 1024-67108864
	TCPIdle time.Duration // an established TCP flow without packets, 1s-7h
	UDPIdle time.Duration // a UDP flow without packets, 1s-7h
	Closing time.Duration // a TCP flow after its FIN or RST, 1s-10m
}

// DefaultConfig is a configuration that lacks only what has no sensible
// default: the registrar's address, keys and grants, interfaces and services.
func DefaultConfig() Config {
	return Config{
		Registrar: config.DefaultRegistrar(),
		Guard: GuardConfig{
			NewcomersPerSecond:  1000,
			PerSourcePerSecond:  50,
			ChallengesPerSecond: 1_000_000,
			PacketsPerHandshake: 64,
		},
		ErrorsPerSecond: 10_000,
		Flows:           FlowsConfig{Max: 1 << 20, TCPIdle: 2 * time.Hour, UDPIdle: time.Minute, Closing: 10 * time.Second},
		Recovery:        10 * time.Second,
		BPF:             "/sys/fs/bpf/weir",
		Metrics:         netip.MustParseAddrPort("127.0.0.1:9464"),
		Control:         operate.Edge.DefaultControl(),
		LogLevel:        slog.LevelInfo,
	}
}

// LoadConfig reads a configuration file over the defaults. interfaces lists the
// names of this machine's network interfaces. The error joins every fault of the
// file, one a line, as "FILE:LINE: PATH: what is wrong"; a relative key_file is
// taken from the file's own folder.
func LoadConfig(file string, interfaces func() ([]string, error)) (Config, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return Config{}, err
	}
	cfg, faults := decodeConfig(text)
	if len(cfg.Interfaces) > 0 {
		names, err := interfaces()
		if err != nil {
			return Config{}, fmt.Errorf("list the network interfaces: %w", err)
		}
		faults.Add(absentInterfaces(cfg.Interfaces, names)...)
	}
	if err := faults.Join(file); err != nil {
		return Config{}, err
	}
	cfg.Registrar.Locate(file)
	cfg.Selection.locate(file)
	return cfg, nil
}
