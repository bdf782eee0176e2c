// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/weir-lb/weir/registrar"
	"github.com/weir-lb/weir/registrar/wire"
)

// Config is the configuration of one gateway. LoadConfig reads it from YAML.
type Config struct {
	Registrar  RegistrarConfig
	Interfaces []string // names, at least one, each present when the file was read
	Services   []ServiceConfig
	Guard      GuardConfig
	Flows      FlowsConfig
	Recovery   time.Duration  // after a restart: how long elements of the last run stay without their registration, 0-10m
	BPF        string         // absolute path of the pin directory, on a bpffs
	Metrics    netip.AddrPort // the zero value: no metrics
	Control    string         // absolute path of the control socket
	LogLevel   slog.Level
}

// RegistrarConfig is the guarded port and who may enrol through it.
type RegistrarConfig struct {
	Listen             netip.AddrPort // IPv4
	ServerID           wire.ServerID  // 0: to be drawn at random
	KeyFile            string         // as psk.LoadKeys reads it
	Grace              time.Duration  // how long a lost element may take to come back, 0-1h
	KeepAlive          registrar.KeepAlive
	HandshakeTimeout   time.Duration     // 100ms-1m
	MaxUnauthenticated int               // handshakes under way at most, 1-65536
	MaxSessions        int               // sessions at most, 1-1000000
	Grants             []registrar.Grant // without addresses: only those that the session comes from
}

// ServiceConfig is one virtual address and the pool that answers for it.
type ServiceConfig struct {
	VIP      netip.Addr    // IPv4
	Port     uint16        // 1-65535
	Protocol wire.Protocol // wire.ProtocolTCP or wire.ProtocolUDP
	Pool     wire.PoolHandle
}

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
	TCPIdle time.Duration // an established TCP flow without packets, 1s-24h
	UDPIdle time.Duration // a UDP flow without packets, 1s-24h
	Closing time.Duration // a TCP flow after its FIN or RST, 1s-10m
}

// DefaultConfig is a configuration that lacks only what has no sensible
// default: the registrar's address, keys and grants, interfaces and services.
func DefaultConfig() Config {
	return Config{
		Registrar: RegistrarConfig{
			Grace:              2 * time.Second,
			KeepAlive:          registrar.KeepAlive{Interval: time.Second, Timeout: time.Second},
			HandshakeTimeout:   5 * time.Second,
			MaxUnauthenticated: 256,
			MaxSessions:        100_000,
		},
		Guard: GuardConfig{
			NewcomersPerSecond:  1000,
			PerSourcePerSecond:  50,
			ChallengesPerSecond: 1_000_000,
			PacketsPerHandshake: 64,
		},
		Flows:    FlowsConfig{Max: 1 << 20, TCPIdle: 2 * time.Hour, UDPIdle: time.Minute, Closing: 10 * time.Second},
		Recovery: 10 * time.Second,
		BPF:      "/sys/fs/bpf/weir",
		Metrics:  netip.MustParseAddrPort("127.0.0.1:9464"),
		Control:  DefaultControl,
		LogLevel: slog.LevelInfo,
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
		faults.addAll(absentInterfaces(cfg.Interfaces, names))
	}
	if err := faults.join(file); err != nil {
		return Config{}, err
	}
	if !filepath.IsAbs(cfg.Registrar.KeyFile) {
		cfg.Registrar.KeyFile = filepath.Join(filepath.Dir(file), cfg.Registrar.KeyFile)
	}
	return cfg, nil
}

// fault is one thing that is wrong in a configuration.
type fault struct {
	line int // 0: not known; that of the path is taken
	path string
	text string
}

func faultf(path, format string, args ...any) fault {
	return fault{path: path, text: fmt.Sprintf(format, args...)}
}

// faultList gathers faults in any order.
type faultList struct {
	all   []fault
	lines map[string]int // path -> line of everything in the file
}

func (l *faultList) addAll(faults []fault) {
	for _, f := range faults {
		if f.line == 0 {
			f.line = l.line(f.path)
		}
		if !l.covered(f.path) {
			l.all = append(l.all, f)
		}
	}
}

// line is where path stands, or the nearest thing around it.
func (l *faultList) line(path string) int {
	for path != "" {
		if line, ok := l.lines[path]; ok {
			return line
		}
		path = parentPath(path)
	}
	return 1
}

// covered tells whether path, or something around it, is at fault already: a
// second complaint about a value that could not be read would only mislead.
func (l *faultList) covered(path string) bool {
	for ; ; path = parentPath(path) {
		if slices.ContainsFunc(l.all, func(f fault) bool { return f.path == path }) {
			return true
		}
		if path == "" {
			return false
		}
	}
}

func (l *faultList) join(file string) error {
	slices.SortStableFunc(l.all, func(a, b fault) int { return a.line - b.line })
	errs := make([]error, 0, len(l.all))
	for _, f := range l.all {
		where := fmt.Sprintf("%s:%d: ", file, f.line)
		if f.path != "" {
			where += f.path + ": "
		}
		errs = append(errs, errors.New(where+f.text))
	}
	return errors.Join(errs...)
}
