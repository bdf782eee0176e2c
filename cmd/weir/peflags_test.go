// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/weir-lb/weir/agent/hunt"
	"github.com/weir-lb/weir/agent/pe"
	"github.com/weir-lb/weir/registrar/wire"
)

const testKey = "000102030405060708090a0b0c0d0e0f"

// keyFile writes lines to a file of mode 0600.
func keyFile(t *testing.T, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// peArgs is a good command line, and then change, whose flags win.
func peArgs(keyFile string, change ...string) []string {
	return append([]string{"--pool", "web", "--registrar", "10.0.0.1", "--identity", "pe-1",
		"--key-file", keyFile, "--serve", "tcp://10.0.0.11:8080"}, change...)
}

func TestPEFlagsThatAreWrong(t *testing.T) {
	for _, test := range []struct {
		change []string
		want   string
	}{
		{[]string{"--pool", ""}, `--pool is missing`},
		{[]string{"--identity="}, `--identity is missing`},
		{[]string{"--key-file="}, `--key-file is missing`},
		{[]string{"--serve="}, `--serve is missing`},
		{[]string{"--pool", strings.Repeat("x", 65001)}, `--pool has 65001 bytes, at most 65000 are possible`},
		{[]string{"--registrar", "a,,b"}, `--registrar "" is not HOST[:PORT]`},
		{[]string{"--registrar", "10.0.0.2:0"}, `--registrar "10.0.0.2:0" is not HOST[:PORT]`},
		{[]string{"--registrar", "10.0.0.2:65536"}, `--registrar "10.0.0.2:65536" is not HOST[:PORT]`},
		{[]string{"--registrar", "tcp://10.0.0.2"}, `--registrar "tcp://10.0.0.2" is not HOST[:PORT]`},
		{[]string{"--registrar", "a b"}, `--registrar "a b" is not HOST[:PORT]`},
		{[]string{"--registrar", "bü cher"}, `--registrar "bü cher" has no ASCII form: idna: disallowed rune U+0020`},
		{[]string{"--registrar", ":3864"}, `--registrar ":3864" is not HOST[:PORT]`},
		{[]string{"--serve", "10.0.0.11:8080"}, `--serve "10.0.0.11:8080" is not tcp://ADDRESS:PORT, udp://…, udplite://…, dccp://… or sctp://ADDRESS[,ADDRESS…]:PORT`},
		{[]string{"--serve", "http://10.0.0.11:8080"}, `--serve "http://10.0.0.11:8080" is not tcp://ADDRESS:PORT, udp://…, udplite://…, dccp://… or sctp://ADDRESS[,ADDRESS…]:PORT`},
		{[]string{"--serve", "tcp://web-1:8080"}, `--serve "tcp://web-1:8080" is not tcp://ADDRESS:PORT, udp://…, udplite://…, dccp://… or sctp://ADDRESS[,ADDRESS…]:PORT`},
		{[]string{"--serve", "tcp://10.0.0.11"}, `--serve "tcp://10.0.0.11" is not tcp://ADDRESS:PORT, udp://…, udplite://…, dccp://… or sctp://ADDRESS[,ADDRESS…]:PORT`},
		{[]string{"--serve", "tcp://10.0.0.11:0"}, `--serve "tcp://10.0.0.11:0" is not tcp://ADDRESS:PORT, udp://…, udplite://…, dccp://… or sctp://ADDRESS[,ADDRESS…]:PORT`},
		{[]string{"--serve", "tcp://10.0.0.11:8080/x"}, `--serve "tcp://10.0.0.11:8080/x" is not tcp://ADDRESS:PORT, udp://…, udplite://…, dccp://… or sctp://ADDRESS[,ADDRESS…]:PORT`},
		{[]string{"--serve", "tcp://0.0.0.0:8080"}, `--serve "tcp://0.0.0.0:8080" is not an address that a client can reach; name one of this machine's`},
		{[]string{"--serve", "tcp://10.0.0.11,10.0.1.11:8080"}, `--serve "tcp://10.0.0.11,10.0.1.11:8080" is not tcp://ADDRESS:PORT, udp://…, udplite://…, dccp://… or sctp://ADDRESS[,ADDRESS…]:PORT`},
		{[]string{"--serve", "sctp://10.0.0.11,web:8080"}, `--serve "sctp://10.0.0.11,web:8080" is not tcp://ADDRESS:PORT, udp://…, udplite://…, dccp://… or sctp://ADDRESS[,ADDRESS…]:PORT`},
		{[]string{"--serve", "sctp://10.0.0.11,[::]:8080"}, `--serve "sctp://10.0.0.11,[::]:8080" is not an address that a client can reach; name one of this machine's`},
		{[]string{"--control-channel"}, `--control-channel needs --serve sctp://…`},
		{[]string{"--service-code", "5"}, `--service-code needs --serve dccp://…`},
		{[]string{"--serve", "dccp://10.0.0.11:5", "--service-code", "4294967296"}, `--service-code 4294967296 is not from 0 to 4294967295`},
		{[]string{"--plain"}, `--plain excludes --identity and --key-file: without TLS nobody proves anything`},
		{[]string{"--plain", "--identity="}, `--plain excludes --identity and --key-file: without TLS nobody proves anything`},
		{[]string{"--transport", "udp"}, `--transport "udp" is not tcp or sctp`},
		{[]string{"--local", "10.0.0.11,web"}, `--local "web" is not an address of this machine`},
		{[]string{"--local", "::"}, `--local "::" is not an address of this machine`},
		{[]string{"--local", "10.0.0.11,10.0.1.11"}, `--local with several addresses needs --transport sctp`},
		{[]string{"--multicast", "224.0.1.185"}, `--multicast "224.0.1.185" is not GROUP:PORT`},
		{[]string{"--multicast", "10.0.0.1:3863"}, `--multicast "10.0.0.1:3863" is not GROUP:PORT`},
		{[]string{"--multicast-interface", "lo"}, `--multicast-interface needs --multicast`},
		{[]string{"--multicast", "224.0.1.185:3863", "--multicast-interface", "none0"}, `--multicast-interface "none0": route ip+net: no such network interface`},
		{[]string{"--id", "0"}, `--id "0" is not a number from 0x1 to 0xffffffff`},
		{[]string{"--id", "0x100000000"}, `--id "0x100000000" is not a number from 0x1 to 0xffffffff`},
		{[]string{"--id", "pe"}, `--id "pe" is not a number from 0x1 to 0xffffffff`},
		{[]string{"--life", "1500ms"}, `--life 1.5s is not a number of whole seconds from 1s to 596523h14m7s`},
		{[]string{"--life", "0s"}, `--life 0s is not a number of whole seconds from 1s to 596523h14m7s`},
		{[]string{"--life", "600000h"}, `--life 600000h0m0s is not a number of whole seconds from 1s to 596523h14m7s`},
		{[]string{"--life", "ten"}, `invalid value "ten" for --life: parse error`},
		{[]string{"--drain", "-1s"}, `--drain -1s is negative`},
		{[]string{"--attempts", "-1"}, `--attempts -1 is negative`},
		{[]string{"--check-interval", "0s"}, `--check-interval 0s is below 10ms`},
		{[]string{"--check", "10.0.0.11:8080"}, `--check "10.0.0.11:8080" is not http://…, https://… or tcp://HOST:PORT`},
		{[]string{"--check", "ftp://10.0.0.11/"}, `--check "ftp://10.0.0.11/" is not http://…, https://… or tcp://HOST:PORT`},
		{[]string{"--check", "tcp://10.0.0.11"}, `--check "tcp://10.0.0.11" is not http://…, https://… or tcp://HOST:PORT`},
		{[]string{"--check", "http://"}, `--check "http://" is not http://…, https://… or tcp://HOST:PORT`},
		{[]string{"--vip", "10.0.100.1"}, `--vip and --interface need --receive`},
		{[]string{"--interface", "eth0"}, `--vip and --interface need --receive`},
		{[]string{"--receive", "nat", "--vip", "10.0.100.1"}, `--receive "nat" is not ipip, gue or dsr`},
		{[]string{"--receive", "ipip"}, `--receive needs --vip: what this server answers for`},
		{[]string{"--receive", "dsr", "--vip", "10.0.100.1,web"}, `--vip "web" is not an address of a service`},
		{[]string{"--receive", "dsr", "--vip", "127.0.0.1"}, `--vip "127.0.0.1" is not an address of a service`},
		{[]string{"--receive", "dsr", "--vip", "10.0.0.11"}, `--vip 10.0.0.11 is where this server is found (--serve); a VIP is the services' own address`},
		{[]string{"--receive", "ipip", "--vip", "10.0.100.1", "--gue-port", "6081"}, `--gue-port needs --receive gue`},
		{[]string{"--receive", "gue", "--vip", "10.0.100.1", "--gue-port", "65536"}, `--gue-port 65536 is not from 1 to 65535`},
		{[]string{"--log-level", "loud"}, `invalid value "loud" for --log-level: slog: level string "loud": unknown name`},
		{[]string{"--port", "1"}, `unknown flag --port`},
		{[]string{"--drain"}, `--drain needs a value`},
		{[]string{"web"}, `unexpected argument "web"`},
	} {
		args := peArgs(keyFile(t, "pe-1:"+testKey), test.change...)
		want := outcome{status: 2, stderr: "weir pe: " + test.want + "; weir pe --help lists the flags\n"}
		if got := inProcess(t, append([]string{"pe"}, args...)...); got != want {
			t.Errorf("%.60v:\n got %+v\nwant %+v", test.change, got, want)
		}
	}
}

func TestPERegistrarIsMissing(t *testing.T) {
	want := outcome{status: 2, stderr: "weir pe: --registrar is missing; weir pe --help lists the flags\n"}
	if got := inProcess(t, "pe", "--pool", "web"); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestPEFlagsBecomeAConfiguration(t *testing.T) {
	cfg, _, err := parsePE(peArgs(keyFile(t, "pe-1:"+testKey),
		"--registrar", "edge-2.example:4000,2001:db8::1", "--registrar", "[2001:db8::2]:5000",
		"--serve", "udp://10.0.0.11:53", "--policy", "wrr", "--weight", "3", "--id", "0x00c0ffee",
		"--life", "90s", "--drain", "0", "--attempts", "4", "--check-interval", "500ms", "--check", "tcp://10.0.0.11:53",
	), env{stderr: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Check == nil || cfg.Log == nil || cfg.Keys == nil {
		t.Error("the check, the log or the keys are missing")
	}
	cfg.Check, cfg.Log, cfg.Keys = nil, nil, nil
	want := pe.Config{
		Pool: "web", ID: 0x00c0ffee, Protocol: wire.ProtocolTCP, Life: 90 * time.Second, Identity: "pe-1", Attempts: 4, CheckInterval: 500 * time.Millisecond,
		User:   wire.Transport{Protocol: wire.ProtocolUDP, Port: 53, Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.11")}},
		Policy: wire.Policy{Type: wire.PolicyWeightedRoundRobin, Data: []byte{0, 0, 0, 3}},
		Registrars: []hunt.Registrar{
			{Host: "10.0.0.1", Port: 3864}, {Host: "edge-2.example", Port: 4000},
			{Host: "2001:db8::1", Port: 3864}, {Host: "2001:db8::2", Port: 5000},
		},
	}
	if !reflect.DeepEqual(cfg, want) {
		t.Errorf("got  %+v\nwant %+v", cfg, want)
	}
}

func TestPEDefaults(t *testing.T) {
	path := keyFile(t, "pe-1:"+testKey)
	seen := map[wire.PEID]bool{}
	for range 3 {
		cfg, _, err := parsePE(peArgs(path), env{stderr: io.Discard})
		if err != nil {
			t.Fatal(err)
		}
		seen[cfg.ID] = true
		if cfg.Life != 10*time.Minute || cfg.Drain != 30*time.Second || cfg.CheckInterval != time.Second || cfg.Attempts != 0 ||
			cfg.Check != nil || cfg.Policy.Type != wire.PolicyRoundRobin {
			t.Errorf("defaults %+v", cfg)
		}
	}
	if len(seen) != 3 || seen[0] {
		t.Errorf("PE identifiers %v, want 3 random ones", seen)
	}
}

func TestPEKeyFileFaults(t *testing.T) {
	good := keyFile(t, "pe-1:"+testKey)
	other := keyFile(t, "pe-2:"+testKey)
	loose := keyFile(t, "pe-1:"+testKey)
	if err := os.Chmod(loose, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, path, want string }{
		{"no such file", good + ".not", good + ".not"},
		{"loose permissions", loose, "0600"},
		{"another identity", other, `has no key for identity "pe-1"`},
		{"short key", keyFile(t, "pe-1:0001"), "16"},
		{"duplicate", keyFile(t, "pe-1:"+testKey, "pe-1:"+testKey), "line 2"},
	} {
		got := inProcess(t, append([]string{"pe"}, peArgs(test.path)...)...)
		if got.status != 1 || !strings.HasPrefix(got.stderr, "weir pe: ") || strings.Count(got.stderr, "\n") != 1 || !strings.Contains(got.stderr, test.want) {
			t.Errorf("%s: %+v, want status 1 and one line with %q", test.name, got, test.want)
		}
		if strings.Contains(got.stderr, testKey) {
			t.Errorf("%s: the key is in %q", test.name, got.stderr)
		}
	}
}

func TestPEPlainOverSCTP(t *testing.T) {
	cfg, _, err := parsePE([]string{"--pool", "web", "--registrar", "10.0.0.1,[2001:db8::2]:5000", "--plain", "--transport", "sctp",
		"--local", "10.0.0.11,10.0.1.11", "--local", "2001:db8::11", "--serve", "sctp://10.0.0.11,10.0.1.11,[2001:db8::11]:7", "--control-channel",
		"--multicast", "239.0.0.50:3863", "--multicast-interface", "lo", "--id", "7"}, env{stderr: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Log = nil
	addrs := []netip.Addr{netip.MustParseAddr("10.0.0.11"), netip.MustParseAddr("10.0.1.11"), netip.MustParseAddr("2001:db8::11")}
	want := pe.Config{
		Pool: "web", ID: 7, Life: 10 * time.Minute, CheckInterval: time.Second, Drain: 30 * time.Second,
		Registrars: []hunt.Registrar{{Host: "10.0.0.1", Port: 3863}, {Host: "2001:db8::2", Port: 5000}},
		Multicast:  pe.Multicast{Group: netip.MustParseAddrPort("239.0.0.50:3863"), Interface: "lo"},
		Protocol:   wire.ProtocolSCTP, Plain: true, Local: addrs,
		User:   wire.Transport{Protocol: wire.ProtocolSCTP, Port: 7, Use: wire.UseDataControl, Addrs: addrs},
		Policy: wire.RoundRobin(),
	}
	if !reflect.DeepEqual(cfg, want) {
		t.Errorf("got  %+v\nwant %+v", cfg, want)
	}
}

func TestPEServes(t *testing.T) {
	at := []netip.Addr{netip.MustParseAddr("10.0.0.11")}
	for _, test := range []struct {
		flags []string
		want  wire.Transport
	}{
		{[]string{"--serve", "tcp://[2001:db8::1]:80"}, wire.Transport{Protocol: wire.ProtocolTCP, Port: 80, Addrs: []netip.Addr{netip.MustParseAddr("2001:db8::1")}}},
		{[]string{"--serve", "udplite://10.0.0.11:5"}, wire.Transport{Protocol: wire.ProtocolUDPLite, Port: 5, Addrs: at}},
		{[]string{"--serve", "dccp://10.0.0.11:5", "--service-code", "0x66"}, wire.Transport{Protocol: wire.ProtocolDCCP, Port: 5, ServiceCode: 0x66, Addrs: at}},
		{[]string{"--serve", "sctp://10.0.0.11:5"}, wire.Transport{Protocol: wire.ProtocolSCTP, Port: 5, Addrs: at}},
	} {
		cfg, _, err := parsePE(peArgs(keyFile(t, "pe-1:"+testKey), test.flags...), env{stderr: io.Discard})
		if err != nil || !reflect.DeepEqual(cfg.User, test.want) {
			t.Errorf("%v: %+v, %v, want %+v", test.flags, cfg.User, err, test.want)
		}
	}
}

func TestPEFindsRegistrarsByMulticastAlone(t *testing.T) {
	args := peArgs(keyFile(t, "pe-1:"+testKey), "--multicast", "224.0.1.185:3863")
	cfg, _, err := parsePE(append(args[:2:2], args[4:]...), env{stderr: io.Discard}) // without --registrar
	if err != nil || len(cfg.Registrars) != 0 || cfg.Multicast.Group.Port() != 3863 {
		t.Errorf("registrars %v, group %v, error %v", cfg.Registrars, cfg.Multicast.Group, err)
	}
}
