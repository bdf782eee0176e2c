// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/weir-lb/weir/agent/config"
	"github.com/weir-lb/weir/maps"
	"github.com/weir-lb/weir/registrar"
	"github.com/weir-lb/weir/registrar/wire"
)

// minimal has line numbers in the margin, because the tests name them.
const minimal = `registrar:
  listen: 10.0.0.1:3864
  key_file: keys
  grants:
    - identity: pe-1
      pools: [web]
      addresses: [10.0.11.2/32]
interfaces: [front0, back0]
services:
  - vip: 10.0.100.1
    port: 80
    protocol: tcp
    pool: web
` // 13 lines

const full = `registrar:
  listen: 10.0.0.1:3864
  server_id: 0x1a2b3c4d
  key_file: /etc/weir/keys
  grace: 3s
  keep_alive: {interval: 4s, timeout: 5s}
  handshake_timeout: 6s
  max_unauthenticated: 7
  max_sessions: 8
  grants:
    - identity: pe-1
      pools: [web, dns]
      addresses: [10.0.11.2, 10.0.12.0/24]
interfaces: [front0]
services:
  - {vip: 10.0.100.1, port: 80, protocol: tcp, pool: web}
  - {vip: "2001:db8::1", port: 80, protocol: tcp, pool: web, mode: nat, slots: 251, fragments: drop, spread: consistent, affinity: client}
  - {vip: 10.0.100.1, port: 53, protocol: udp, pool: dns, on_loss: migrate, mode: dsr, spread: policy, allow: [10.0.0.0/8], deny: [10.1.0.0/16, 10.2.3.4]}
  - {vip: 10.0.100.2, port: 80, protocol: tcp, pool: web, mode: ipip, on_loss: drain, drain_time: 7m}
  - {vip: 10.0.100.3, port: 80, protocol: tcp, pool: web, mode: gue, gue_port: 5555}
tunnel_source: [10.0.20.254, "2001:db8::254"]
selection: {key_file: selection.key, rotate: 24h}
guard:
  newcomers_per_second: 9
  per_source_per_second: 10
  challenges_per_second: 11
  packets_per_handshake: 12
flows: {max: 2048, tcp_idle: 13m, udp_idle: 14s, closing: 15s}
errors_per_second: 18
recovery: 16s
bpf: /sys/fs/bpf/other
metrics: 127.0.0.2:9999
control: /run/other.sock
log_level: debug
`

func present() ([]string, error) { return []string{"lo", "front0", "back0"}, nil }

// load reads text as edge.yaml in a folder of its own.
func load(t *testing.T, text string) (cfg Config, folder string, err error) {
	t.Helper()
	folder = t.TempDir()
	t.Chdir(folder)
	if err := os.WriteFile("edge.yaml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err = LoadConfig("edge.yaml", present)
	return cfg, folder, err
}

func TestLoadConfigTakesEveryKey(t *testing.T) {
	got, _, err := load(t, full)
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Registrar: config.Registrar{
			Listen:             netip.MustParseAddrPort("10.0.0.1:3864"),
			ServerID:           0x1a2b3c4d,
			KeyFile:            "/etc/weir/keys",
			Grace:              3 * time.Second,
			KeepAlive:          registrar.KeepAlive{Interval: 4 * time.Second, Timeout: 5 * time.Second},
			HandshakeTimeout:   6 * time.Second,
			MaxUnauthenticated: 7,
			MaxSessions:        8,
			Grants: []registrar.Grant{{
				Identity:  "pe-1",
				Pools:     []wire.PoolHandle{"web", "dns"},
				Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.11.2/32"), netip.MustParsePrefix("10.0.12.0/24")},
			}},
		},
		Interfaces: []string{"front0"},
		Services: []ServiceConfig{
			{VIP: netip.MustParseAddr("10.0.100.1"), Port: 80, Protocol: wire.ProtocolTCP, Pool: "web"},
			{VIP: netip.MustParseAddr("2001:db8::1"), Port: 80, Protocol: wire.ProtocolTCP, Pool: "web", Mode: maps.NAT, Slots: 251, Fragments: maps.DropFragments, Affinity: AffinityClient},
			{VIP: netip.MustParseAddr("10.0.100.1"), Port: 53, Protocol: wire.ProtocolUDP, Pool: "dns", OnLoss: maps.MigrateFlows, Mode: maps.DSR, Spread: SpreadPolicy,
				Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
				Deny:  []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("10.2.3.4/32")}},
			{VIP: netip.MustParseAddr("10.0.100.2"), Port: 80, Protocol: wire.ProtocolTCP, Pool: "web", Mode: maps.IPIP, OnLoss: maps.DrainFlows, DrainTime: 7 * time.Minute},
			{VIP: netip.MustParseAddr("10.0.100.3"), Port: 80, Protocol: wire.ProtocolTCP, Pool: "web", Mode: maps.GUE, GUEPort: 5555},
		},
		TunnelSource:    []netip.Addr{netip.MustParseAddr("10.0.20.254"), netip.MustParseAddr("2001:db8::254")},
		Selection:       SelectionConfig{KeyFile: "selection.key", Rotate: 24 * time.Hour},
		Guard:           GuardConfig{9, 10, 11, 12},
		Flows:           FlowsConfig{2048, 13 * time.Minute, 14 * time.Second, 15 * time.Second},
		ErrorsPerSecond: 18,
		Recovery:        16 * time.Second,
		BPF:             "/sys/fs/bpf/other",
		Metrics:         netip.MustParseAddrPort("127.0.0.2:9999"),
		Control:         "/run/other.sock",
		LogLevel:        slog.LevelDebug,
	}
	want.Registrar.ASAP = []registrar.Listener{
		{Protocol: wire.ProtocolTCP, Addr: want.Registrar.Listen, Name: "registrar.listen"},
	}
	want.Registrar.Announce, want.Registrar.Timers = config.DefaultRegistrar().Announce, config.DefaultRegistrar().Timers
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestLoadConfigTakesEveryTransport(t *testing.T) {
	for _, want := range []wire.Protocol{wire.ProtocolTCP, wire.ProtocolUDP, wire.ProtocolSCTP, wire.ProtocolUDPLite, wire.ProtocolDCCP} {
		got, _, err := load(t, strings.Replace(minimal, "protocol: tcp", "protocol: "+want.String(), 1))
		if err != nil || got.Services[0].Protocol != want {
			t.Errorf("%s: %+v, %v", want, got.Services, err)
		}
	}
}

func TestLoadConfigDefaults(t *testing.T) {
	got, folder, err := load(t, minimal)
	if err != nil {
		t.Fatal(err)
	}
	if here, _ := filepath.Abs(got.Registrar.KeyFile); here != filepath.Join(folder, "keys") {
		t.Errorf("key file %q is not taken from the configuration's folder", got.Registrar.KeyFile)
	}
	if got.Registrar.ServerID != 0 || got.Registrar.Grace != 2*time.Second || got.Flows.Max != 1048576 ||
		got.Metrics != netip.MustParseAddrPort("127.0.0.1:9464") || got.Control != "/run/weir/edge.sock" {
		t.Errorf("defaults: %+v", got)
	}
}

func TestLoadConfigKeyFileFollowsTheConfiguration(t *testing.T) {
	_, folder, _ := load(t, minimal)
	t.Chdir("/")
	got, err := LoadConfig(filepath.Join(folder, "edge.yaml"), present)
	if err != nil || got.Registrar.KeyFile != filepath.Join(folder, "keys") {
		t.Errorf("key file %q, %v", got.Registrar.KeyFile, err)
	}
}

func TestLoadConfigEmptyMetricsIsOff(t *testing.T) {
	for _, value := range []string{"", ` ""`, " null"} {
		got, _, err := load(t, minimal+"metrics:"+value+"\n")
		if err != nil || got.Metrics.IsValid() {
			t.Errorf("metrics:%s gave %v, %v", value, got.Metrics, err)
		}
	}
}

func TestLoadConfigFollowsAliases(t *testing.T) {
	text := strings.Replace(minimal, "pools: [web]", "pools: &all [web]", 1) +
		"  - {vip: 10.0.100.2, port: 80, protocol: tcp, pool: web}\n"
	text = strings.Replace(text, "interfaces:", "    - {identity: pe-2, pools: *all, addresses: [10.0.11.3]}\ninterfaces:", 1)
	got, _, err := load(t, text)
	if err != nil || len(got.Registrar.Grants) != 2 || got.Registrar.Grants[1].Pools[0] != "web" {
		t.Errorf("%+v, %v", got.Registrar.Grants, err)
	}
}

func TestLoadConfigWithoutItsFile(t *testing.T) {
	t.Chdir(t.TempDir())
	_, err := LoadConfig("edge.yaml", present)
	if !errors.Is(err, os.ErrNotExist) || err.Error() != "open edge.yaml: no such file or directory" {
		t.Errorf("%v", err)
	}
}

func TestLoadConfigCannotListInterfaces(t *testing.T) {
	_, folder, _ := load(t, minimal)
	broken := errors.New("netlink is closed")
	_, err := LoadConfig(filepath.Join(folder, "edge.yaml"), func() ([]string, error) { return nil, broken })
	if !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
}
