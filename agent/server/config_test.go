// SPDX-License-Identifier: Apache-2.0

package server

import (
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/weir-lb/weir/agent/config"
	"github.com/weir-lb/weir/registrar"
	"github.com/weir-lb/weir/registrar/wire"
)

const minimal = `registrar:
  asap: [{address: 10.0.0.1}]
  key_file: keys
  grants: [{identity: pe-1, pools: [web]}]
` // 4 lines

const full = `registrar:
  asap:
    - {protocol: tcp, address: "[2001:db8::1]:4000"}
    - {protocol: sctp, address: 10.0.0.1, more: [10.1.0.1]}
  enrp: [{protocol: sctp, address: 10.0.0.1, more: [10.1.0.1]}, {protocol: tcp, address: 10.0.0.1}]
  server_id: 1
  key_file: /etc/weir/keys
  certificate_file: cert.pem
  certificate_key_file: key.pem
  old_suite: true
  reject_plain: true
  grace: 3s
  keep_alive: {interval: 4s, timeout: 5s}
  handshake_timeout: 6s
  max_unauthenticated: 7
  max_sessions: 8
  max_elements: 19
  max_per_identity: 20
  grants: [{identity: pe-1, pools: [web], addresses: [10.0.11.2, "2001:db8::/64"]}]
  peers:
    - {server_id: 2, protocol: sctp, address: 10.0.0.2, more: [10.1.0.2], identity: r-2-to-1, as: r-1-to-2}
    - {server_id: 3, address: 10.0.0.3:9999, identity: r-3-to-1, as: r-1-to-3}
  lower_id_takes_over: true
  announce: {interface: eth0, asap: 239.0.0.50:3863, enrp: 239.0.0.51:9901, ttl: 30}
  timers:
    peer_heartbeat_cycle: 11s
    max_time_last_heard: 12s
    max_time_no_response: 13s
    max_bad_pe_report: 14
    t6_serverannounce: 15s
    mentor_hunt: 16s
    takeover_expiry: 17s
    adoption_grace: 18s
metrics: 127.0.0.2:9999
control: /run/other.sock
log_level: debug
`

const unsecured = `registrar:
  unsecured: true
  asap: [{address: 10.0.0.1, protocol: sctp}]
  enrp: [{address: 10.0.0.1, protocol: sctp}]
  peers: [{address: 10.0.0.2, protocol: sctp}]
` // 5 lines

func load(t *testing.T, text string) (Config, error) {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.WriteFile("r.yaml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return LoadConfig("r.yaml")
}

func at(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

func addrs(all ...string) (list []netip.Addr) {
	for _, a := range all {
		list = append(list, netip.MustParseAddr(a))
	}
	return list
}

func TestLoadConfigTakesEveryKey(t *testing.T) {
	got, err := load(t, full)
	if err != nil {
		t.Fatal(err)
	}
	tcp, sctp := wire.ProtocolTCP, wire.ProtocolSCTP
	want := Config{
		Registrar: config.Registrar{
			ASAP: []registrar.Listener{
				{Protocol: tcp, Addr: at("[2001:db8::1]:4000"), Name: "registrar.asap[0].address"},
				{Protocol: sctp, Addr: at("10.0.0.1:3864"), More: addrs("10.1.0.1"), Name: "registrar.asap[1].address"},
			},
			ENRP: []registrar.Listener{
				{Protocol: sctp, Addr: at("10.0.0.1:9902"), More: addrs("10.1.0.1"), Name: "registrar.enrp[0].address"},
				{Protocol: tcp, Addr: at("10.0.0.1:9902"), Name: "registrar.enrp[1].address"},
			},
			ServerID: 1, KeyFile: "/etc/weir/keys", CertificateFile: "cert.pem", CertificateKeyFile: "key.pem",
			OldSuite: true, RejectPlain: true, Grace: 3 * time.Second,
			KeepAlive:        registrar.KeepAlive{Interval: 4 * time.Second, Timeout: 5 * time.Second},
			HandshakeTimeout: 6 * time.Second, MaxUnauthenticated: 7, MaxSessions: 8,
			MaxElements: 19, MaxPerIdentity: 20,
			Grants: []registrar.Grant{{Identity: "pe-1", Pools: []wire.PoolHandle{"web"}, Addresses: []netip.Prefix{
				netip.MustParsePrefix("10.0.11.2/32"), netip.MustParsePrefix("2001:db8::/64"),
			}}},
			Peers: []registrar.Peer{
				{Server: 2, Protocol: sctp, Addr: at("10.0.0.2:9902"), More: addrs("10.1.0.2"), Identity: "r-2-to-1", As: "r-1-to-2"},
				{Server: 3, Protocol: tcp, Addr: at("10.0.0.3:9999"), Identity: "r-3-to-1", As: "r-1-to-3"},
			},
			LowerWins: true,
			Announce:  registrar.Announce{Interface: "eth0", ASAP: at("239.0.0.50:3863"), ENRP: at("239.0.0.51:9901"), HopLimit: 30},
			Timers: registrar.Timers{
				PeerHeartbeatCycle: 11 * time.Second, MaxTimeLastHeard: 12 * time.Second, MaxTimeNoResponse: 13 * time.Second,
				MaxBadPEReport: 14, T6Serverannounce: 15 * time.Second, MentorHunt: 16 * time.Second,
				TakeoverExpiry: 17 * time.Second, AdoptionGrace: 18 * time.Second,
			},
		},
		Metrics: at("127.0.0.2:9999"), Control: "/run/other.sock", LogLevel: slog.LevelDebug,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %+v\nwant %+v", got, want)
	}
}

// Ports and groups are IANA's (RFC 5352 8.2, 8.4; RFC 5353 4.2, 5.3).
func TestLoadConfigDefaults(t *testing.T) {
	got, err := load(t, unsecured)
	if err != nil {
		t.Fatal(err)
	}
	r := got.Registrar
	if r.ASAP[0].Addr != at("10.0.0.1:3863") || r.ENRP[0].Addr != at("10.0.0.1:9901") || r.Peers[0].Addr != at("10.0.0.2:9901") {
		t.Errorf("ports of %+v", r)
	}
	if a := r.Announce; a.ASAP != at("224.0.1.185:3863") || a.ENRP != at("224.0.1.185:9901") || a.HopLimit != 1 || a.Interface != "" {
		t.Errorf("announce %+v", a)
	}
	if m := r.Timers; m.PeerHeartbeatCycle != 30*time.Second || m.MaxTimeLastHeard != 61*time.Second ||
		m.MaxTimeNoResponse != 5*time.Second || m.T6Serverannounce != time.Second {
		t.Errorf("timers %+v", m)
	}
	if got.Metrics.IsValid() || got.Control != "/run/weir/registrar.sock" {
		t.Errorf("%+v", got)
	}
}

func TestRejectPlainListensAtThePlainPorts(t *testing.T) {
	got, err := load(t, full)
	if err != nil {
		t.Fatal(err)
	}
	built := got.Registrar.Build(&config.Credentials{})
	if a, e := built.RejectASAP[1], built.RejectENRP[0]; a.Addr != at("10.0.0.1:3863") || a.Protocol != wire.ProtocolSCTP || e.Addr != at("10.0.0.1:9901") {
		t.Errorf("rejects at %+v and %+v", a, e)
	}
}

func TestRelativeFilesAreBesideTheConfiguration(t *testing.T) {
	_, err := load(t, minimal+"  certificate_file: c\n  certificate_key_file: d\n")
	if err != nil {
		t.Fatal(err)
	}
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir("/")
	got, err := LoadConfig(filepath.Join(folder, "r.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	for name, file := range map[string]string{
		"keys": got.Registrar.KeyFile, "c": got.Registrar.CertificateFile, "d": got.Registrar.CertificateKeyFile,
	} {
		if file != filepath.Join(folder, name) {
			t.Errorf("%s became %s", name, file)
		}
	}
}

func TestLoadConfigFaults(t *testing.T) {
	const peers = "  enrp: [{address: 10.0.0.1}]\n  server_id: 1\n  peers:\n    - {server_id: 2, address: 10.0.0.2, identity: r-2, as: r-1}\n"
	tests := []struct {
		name, text, old, new string // what is replaced in text; an old of "" appends
		want                 []string
	}{
		{"nothing", "log_level: info\n", "", "", []string{
			"r.yaml:1: registrar.listen: is missing: the address and port where pool elements enrol",
			"r.yaml:1: registrar.key_file: is missing: the file with a line identity:hexkey for each pool element",
			"r.yaml:1: registrar.grants: is missing: nobody could enrol"}},
		{"a gateway's key", minimal, "", "services: []\n", []string{
			"r.yaml:5: services: unknown key; known here: control, log_level, metrics, registrar"}},
		{"both forms", minimal, "", "  listen: 10.0.0.2:3864\n", []string{
			"r.yaml:5: registrar.listen: is the short form of asap; give one of them"}},
		{"listener without address", minimal, "{address: 10.0.0.1}", "{protocol: tcp}", []string{
			"r.yaml:2: registrar.asap[0].address: is missing"}},
		{"address", minimal, "10.0.0.1", "10.0.0", []string{
			`r.yaml:2: registrar.asap[0].address: "10.0.0" is not an address, such as 10.0.0.1, with a port or without`}},
		{"port zero", minimal, "10.0.0.1", "10.0.0.1:0", []string{
			`r.yaml:2: registrar.asap[0].address: "10.0.0.1:0" has port 0; choose one from 1 to 65535`}},
		{"protocol", minimal, "{address", "{protocol: udp, address", []string{
			`r.yaml:2: registrar.asap[0].protocol: "udp" is not a protocol that registrars speak: tcp or sctp`}},
		{"several addresses over TCP", minimal, "10.0.0.1}", "10.0.0.1, more: [10.0.0.2]}", []string{
			"r.yaml:2: registrar.asap[0].more: only SCTP has several addresses"}},
		{"ENRP anywhere", minimal, "", "  enrp: [{address: 0.0.0.0}]\n", []string{
			"r.yaml:5: registrar.enrp[0].address: must name one address: other registrars are told where to find this one"}},
		{"the same place twice", minimal, "", "  enrp: [{address: 10.0.0.1:3864}]\n", []string{
			"r.yaml:5: registrar.enrp[0].address: tcp://10.0.0.1:3864 is given twice"}},
		{"certificate without key", minimal, "", "  certificate_file: c\n", []string{
			"r.yaml:1: registrar.certificate_key_file: is missing: the key of certificate_file"}},
		{"the old suite without a certificate", minimal, "", "  old_suite: true\n", []string{
			"r.yaml:5: registrar.old_suite: has no use without certificate_file"}},
		{"TLS at any port", minimal, "10.0.0.1", "10.0.0.1:3863, protocol: tcp", []string{}},
		{"truth", minimal, "", "  reject_plain: maybe\n", []string{`r.yaml:5: registrar.reject_plain: "maybe" is neither true nor false`}},
		{"TLS at the plain port", minimal, "10.0.0.1}]", "10.0.0.1:3863}]\n  reject_plain: true", []string{
			"r.yaml:3: registrar.reject_plain: 10.0.0.1:3863 is in use for TLS"}},
		{"peers without anything", minimal, "", "  peers: [{}]\n", []string{
			"r.yaml:1: registrar.server_id: is missing: the other registrars' configurations name this one by it",
			"r.yaml:1: registrar.enrp: is missing: the address where the other registrars find this one",
			"r.yaml:5: registrar.peers[0].server_id: is missing: who proves identity is that registrar and no other",
			"r.yaml:5: registrar.peers[0].identity: is missing: what that registrar proves to this one",
			"r.yaml:5: registrar.peers[0].as: is missing: what this registrar proves to that one",
			"r.yaml:5: registrar.peers[0].address: is missing"}},
		{"one key both ways", minimal + peers, "as: r-1", "as: r-2", []string{
			`r.yaml:8: registrar.peers[0].as: "r-2" is what the other one proves; each direction needs an identity and a key of its own`}},
		{"a key of one pair in another", minimal + peers, "", "    - {server_id: 3, address: 10.0.0.3, identity: r-1, as: r-3}\n", []string{
			`r.yaml:8: registrar.peers[0].as: "r-1" is what peers[1] proves; each pair needs identities and keys of its own`}},
		{"our own identity for an element", minimal + peers, "pe-1", "r-1", []string{
			`r.yaml:4: registrar.grants[0].identity: "r-1" is what this registrar proves to peers[0]; who proves it here is refused`}},
		{"silence between heartbeats", minimal, "", "  timers: {peer_heartbeat_cycle: 2m}\n", []string{
			"r.yaml:5: registrar.timers.max_time_last_heard: 1m1s is not longer than peer_heartbeat_cycle, 2m: every registrar would be doubted between its heartbeats"}},
		{"its own peer", minimal + peers, "server_id: 2", "server_id: 1", []string{
			"r.yaml:8: registrar.peers[0].server_id: 0x00000001 is this registrar's own"}},
		{"identities twice", minimal + peers, "", "    - {server_id: 2, address: 10.0.0.3, identity: r-2, as: r-1}\n", []string{
			"r.yaml:9: registrar.peers[1].server_id: 0x00000002 is given twice",
			`r.yaml:9: registrar.peers[1].as: "r-1" is for another peer; each pair needs identities and keys of its own`,
			`r.yaml:9: registrar.peers[1].identity: "r-2" is another peer's; each pair needs identities and keys of its own`}},
		{"a protocol that we do not speak", minimal + peers, "server_id: 2,", "server_id: 2, protocol: sctp,", []string{
			"r.yaml:8: registrar.peers[0].protocol: this registrar does not speak ENRP over sctp"}},
		{"security without keys", unsecured, "", "  key_file: k\n  reject_plain: true\n  grants: [{identity: a, pools: [b]}]\n", []string{
			"r.yaml:6: registrar.key_file: has no use in an unsecured registrar",
			"r.yaml:7: registrar.reject_plain: has no use in an unsecured registrar",
			"r.yaml:8: registrar.grants: has no use in an unsecured registrar: it takes every registration"}},
		{"identities without keys", unsecured, "{address: 10.0.0.2,", "{address: 10.0.0.2, identity: r-2,", []string{
			"r.yaml:5: registrar.peers[0].identity: has no use in an unsecured registrar"}},
		{"announcements nowhere", minimal, "", "  announce: {ttl: 2}\n", []string{
			"r.yaml:5: registrar.announce.interface: is missing: the interface of the multicast groups"}},
		{"announcements to one host", minimal, "", "  announce: {interface: lo, asap: 10.0.0.9:3863}\n", []string{
			"r.yaml:5: registrar.announce.asap: 10.0.0.9 is not a multicast group"}},
		{"a timer", minimal, "", "  timers: {max_time_last_heard: 1ms}\n", []string{
			"r.yaml:5: registrar.timers.max_time_last_heard: 1ms is not between 10ms and 1h"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := tt.text + tt.new
			if tt.old != "" {
				text = strings.Replace(tt.text, tt.old, tt.new, 1)
			}
			_, err := load(t, text)
			got := ""
			if err != nil {
				got = err.Error()
			}
			if want := strings.Join(tt.want, "\n"); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// What the documentation shows can be used as it stands.
func TestDocumentedConfigurations(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "registrars.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := strings.Split(string(text), "```yaml\n")[1:]
	var first string
	for i, block := range blocks {
		block, _, _ = strings.Cut(block, "```")
		if first == "" {
			first = block
		}
		if !strings.HasPrefix(block, "registrar:") { // a part of the first one
			key, _, _ := strings.Cut(strings.TrimSpace(block), ":")
			before, _, _ := strings.Cut(first, "  "+key+":")
			block = before + block
		}
		if _, err := load(t, block); err != nil {
			t.Errorf("block %d: %v\n%s", i+1, err, block)
		}
	}
	if len(blocks) != 4 {
		t.Errorf("%d blocks, want 4", len(blocks))
	}
}
