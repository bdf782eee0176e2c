// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"strings"
	"testing"
)

func TestLoadConfigFaults(t *testing.T) {
	tests := []struct {
		name     string
		old, new string // what is replaced in minimal; an old of "" appends
		want     []string
	}{
		{"unknown key at the top", "", "service: []",
			[]string{"edge.yaml:14: service: unknown key; known here: bpf, control, errors_per_second, flows, guard, interfaces, log_level, metrics, recovery, registrar, selection, services, tunnel_source"}},
		{"unknown key inside", "protocol: tcp", "protcol: tcp", []string{
			"edge.yaml:10: services[0].protocol: is missing: tcp, udp, sctp, udp-lite or dccp",
			"edge.yaml:12: services[0].protcol: unknown key; known here: affinity, allow, deny, drain_time, fragments, gue_port, mode, on_loss, pool, port, protocol, slots, spread, vip"}},
		{"unknown key in a flow mapping", "", "flows: {maximum: 1}",
			[]string{"edge.yaml:14: flows.maximum: unknown key; known here: closing, max, tcp_idle, udp_idle"}},
		{"merge keys are no keys", "", "flows: {<<: {max: 2000}}",
			[]string{"edge.yaml:14: flows.<<: unknown key; known here: closing, max, tcp_idle, udp_idle"}},
		{"duplicate key", "", "bpf: /sys/fs/bpf/a\nbpf: /sys/fs/bpf/b",
			[]string{"edge.yaml:15: bpf: given twice, first in line 14"}},

		{"scalar for a group", "", "guard: 17", []string{`edge.yaml:14: guard: "17" instead of a group of keys`}},
		{"nothing for a group", "", "guard:", []string{`edge.yaml:14: guard: nothing instead of a group of keys`}},
		{"list for a group", "", "guard: []", []string{`edge.yaml:14: guard: a list instead of a group of keys`}},
		{"scalar for a list", "[front0, back0]", "front0", []string{`edge.yaml:8: interfaces: "front0" instead of a list`}},
		{"group for a scalar", "", "recovery: {seconds: 1}", []string{`edge.yaml:14: recovery: a group of keys instead of a value`}},
		{"nothing for a scalar", "", "control:", []string{`edge.yaml:14: control: nothing instead of a value`}},
		{"number for a name", "identity: pe-1", "identity: 17",
			[]string{"edge.yaml:5: registrar.grants[0].identity: 17 is not text; if it is meant as such, put it in quotes"}},
		{"blank name", "identity: pe-1", `identity: " "`, []string{"edge.yaml:5: registrar.grants[0].identity: is empty"}},
		{"text for a number", "port: 80", "port: http", []string{`edge.yaml:11: services[0].port: "http" is not a whole number`}},
		{"quoted number", "port: 80", `port: "80"`, []string{`edge.yaml:11: services[0].port: "80" is not a whole number`}},
		{"fraction", "port: 80", "port: 80.5", []string{`edge.yaml:11: services[0].port: "80.5" is not a whole number`}},

		{"short address", "10.0.100.1", "10.0.100", []string{`edge.yaml:10: services[0].vip: "10.0.100" is not an IP address`}},
		{"IPv4 in IPv6", "10.0.100.1", `"::ffff:10.0.100.1"`, []string{
			`edge.yaml:10: services[0].vip: "::ffff:10.0.100.1" is an IPv4 address in IPv6: write 10.0.100.1`}},
		{"address with a zone", "10.0.100.1", `"fe80::1%eth0"`, []string{
			`edge.yaml:10: services[0].vip: "fe80::1%eth0" has a zone: a service's address must be good everywhere`}},
		{"link-local address", "10.0.100.1", `"fe80::1"`, []string{`edge.yaml:10: services[0].vip: "fe80::1" cannot be served: it is not the address of one host`}},
		{"multicast address", "10.0.100.1", "224.0.0.1", []string{`edge.yaml:10: services[0].vip: "224.0.0.1" cannot be served: it is not the address of one host`}},
		{"address without port", "10.0.0.1:3864", "10.0.0.1", []string{
			`edge.yaml:2: registrar.listen: "10.0.0.1" is not an address and port, such as 10.0.0.1:3864`}},
		{"port zero", "10.0.0.1:3864", "10.0.0.1:0", []string{`edge.yaml:2: registrar.listen: "10.0.0.1:0" has port 0; choose one from 1 to 65535`}},
		{"listen anywhere", "10.0.0.1:3864", "0.0.0.0:3864", []string{
			"edge.yaml:2: registrar.listen: must name one address: the kernel guards exactly that one"}},
		{"prefix with host bits", "10.0.11.2/32", "10.0.11.2/24", []string{
			`edge.yaml:7: registrar.grants[0].addresses[0]: "10.0.11.2/24" has bits beyond its length; the prefix is 10.0.11.0/24, the address 10.0.11.2`}},
		{"no prefix", "10.0.11.2/32", "10.0.11.2/33", []string{
			`edge.yaml:7: registrar.grants[0].addresses[0]: "10.0.11.2/33" is not an address or prefix, such as 10.0.11.2 or 10.0.11.0/24`}},
		{"protocol", "protocol: tcp", "protocol: opaque", []string{`edge.yaml:12: services[0].protocol: "opaque" is not a protocol that can be served: tcp, udp, sctp, udp-lite or dccp`}},
		{"mode", "protocol: tcp", "protocol: tcp\n    mode: magic", []string{`edge.yaml:13: services[0].mode: "magic" is not a way to forward: nat, dsr, ipip or gue`}},
		{"fragments", "protocol: tcp", "protocol: tcp\n    fragments: keep", []string{`edge.yaml:13: services[0].fragments: "keep" is not something to do with fragments: forward or drop`}},
		{"log level", "", "log_level: loud", []string{`edge.yaml:14: log_level: "loud" is not a log level: debug, info, warn or error`}},
		{"relative path", "", "bpf: weir", []string{`edge.yaml:14: bpf: "weir" is not an absolute path`}},

		{"port too large", "port: 80", "port: 65536", []string{"edge.yaml:11: services[0].port: 65536 is not between 1 and 65535"}},
		{"few slots", "port: 80", "port: 80\n    slots: 250", []string{"edge.yaml:12: services[0].slots: 250 is not between 251 and 1048576"}},
		{"rotation too fast", "", "selection: {rotate: 1s}", []string{"edge.yaml:14: selection.rotate: 1s is not between 1m and 8760h"}},
		{"unknown key of the selection", "", "selection: {key: 00}", []string{"edge.yaml:14: selection.key: unknown key; known here: key_file, rotate"}},
		{"another spread", "port: 80", "port: 80\n    spread: maglev", []string{
			`edge.yaml:12: services[0].spread: "maglev" is not a way to spread flows: consistent or policy`}},
		{"another affinity", "port: 80", "port: 80\n    affinity: cookie", []string{
			`edge.yaml:12: services[0].affinity: "cookie" is not what stays together: flow or client`}},
		{"affinity by policy", "port: 80", "port: 80\n    spread: policy\n    affinity: client", []string{
			"edge.yaml:13: services[0].affinity: client needs spread consistent: by policy each flow is spread by itself"}},
		{"list of another family", "port: 80", "port: 80\n    allow: [\"2001:db8::/32\"]", []string{
			"edge.yaml:12: services[0].allow[0]: no client of 10.0.100.1 comes from 2001:db8::/32, which is of another family"}},
		{"allowed and denied", "port: 80", "port: 80\n    allow: [10.0.0.0/8]\n    deny: [10.1.0.0/16, 10.0.0.0/8]", []string{
			"edge.yaml:13: services[0].deny[1]: 10.0.0.0/8 is in services[0].allow[0] already"}},
		{"negative", "", "flows: {max: -1}", []string{"edge.yaml:14: flows.max: -1 is not between 1024 and 67108864"}},
		{"past 64 bits", "", "flows: {max: 99999999999999999999}",
			[]string{"edge.yaml:14: flows.max: 99999999999999999999 is not between 1024 and 67108864"}},
		{"server id zero", "key_file:", "server_id: 0x0\n  key_file:", []string{"edge.yaml:3: registrar.server_id: 0x0 is not between 1 and 4294967295"}},
		{"server id too large", "key_file:", "server_id: 0x100000000\n  key_file:",
			[]string{"edge.yaml:3: registrar.server_id: 0x100000000 is not between 1 and 4294967295"}},
		{"duration without unit", "", "recovery: 10", []string{`edge.yaml:14: recovery: "10" is not a duration, such as 500ms, 10s or 2h`}},
		{"duration too long", "", "recovery: 11m", []string{"edge.yaml:14: recovery: 11m is not between 0s and 10m"}},
		{"a flow idle for longer than its entry can tell", "", "flows: {tcp_idle: 8h, udp_idle: 24h, closing: 11m}", []string{
			"edge.yaml:14: flows.tcp_idle: 8h is not between 1s and 7h",
			"edge.yaml:14: flows.udp_idle: 24h is not between 1s and 7h",
			"edge.yaml:14: flows.closing: 11m is not between 1s and 10m"}},
		{"negative duration", "", "recovery: -1s", []string{"edge.yaml:14: recovery: -1s is not between 0s and 10m"}},

		{"unknown pool of a service", "pool: web", "pool: wbe", []string{
			`edge.yaml:6: registrar.grants[0].pools[0]: unknown pool "web": no service has it`,
			`edge.yaml:13: services[0].pool: unknown pool "wbe": no grant lets anyone serve it`}},
		{"an unread pool hides no other fault and makes none", "pool: web", "pool: 1", []string{
			"edge.yaml:13: services[0].pool: 1 is not text; if it is meant as such, put it in quotes"}},
		{"same service twice", "", "  - {vip: 10.0.100.1, port: 80, protocol: tcp, pool: web}",
			[]string{"edge.yaml:14: services[1].vip: tcp://10.0.100.1:80 is served by services[0] already"}},
		{"service where the registrar listens", "", "  - {vip: 10.0.0.1, port: 3864, protocol: tcp, pool: web}",
			[]string{"edge.yaml:14: services[1].vip: 10.0.0.1:3864 is where the registrar listens; the guard would drop the service's packets"}},
		{"pool with two protocols", "", "  - {vip: 10.0.100.1, port: 80, protocol: udp, pool: web}",
			[]string{`edge.yaml:14: services[1].protocol: pool "web" serves tcp in services[0]; a pool has one protocol, give udp a pool of its own`}},
		{"port of another mode", "pool: web", "pool: web\n    gue_port: 6080", []string{`edge.yaml:14: services[0].gue_port: is for mode gue, not nat`}},
		{"time to drain what is not drained", "pool: web", "pool: web\n    on_loss: migrate\n    drain_time: 1m", []string{`edge.yaml:15: services[0].drain_time: is for on_loss drain, not migrate`}},
		{"drains for too long", "pool: web", "pool: web\n    on_loss: drain\n    drain_time: 25h", []string{`edge.yaml:15: services[0].drain_time: 25h is not between 1s and 24h`}},
		{"another loss", "pool: web", "pool: web\n    on_loss: ignore", []string{`edge.yaml:14: services[0].on_loss: "ignore" is not something to do with flows of a lost element: reset, migrate or drain`}},
		{"tunnels from nowhere", "", "tunnel_source: [0.0.0.0, fe80::1, ten]", []string{
			`edge.yaml:14: tunnel_source[0]: "0.0.0.0" is not an address that other hosts can answer to`,
			`edge.yaml:14: tunnel_source[1]: "fe80::1" is not an address that other hosts can answer to`,
			`edge.yaml:14: tunnel_source[2]: "ten" is not an IP address`}},
		{"tunnels from two places", "", `tunnel_source: [10.0.0.1, "2001:db8::1", 10.0.0.2]`, []string{
			"edge.yaml:14: tunnel_source[2]: 10.0.0.2 is of the family of 10.0.0.1; tunnels of a family come from one address"}},
		{"identity twice", "interfaces:", "    - {identity: pe-1, pools: [web], addresses: [10.0.11.3]}\ninterfaces:",
			[]string{`edge.yaml:8: registrar.grants[1].identity: "pe-1" has grants[0] already; put all its pools and addresses there`}},
		{"pool twice in a grant", "[web]", "[web, web]", []string{`edge.yaml:6: registrar.grants[0].pools[1]: "web" is given twice`}},
		{"address twice in a grant", "[10.0.11.2/32]", "[10.0.11.2/32, 10.0.11.2]",
			[]string{"edge.yaml:7: registrar.grants[0].addresses[1]: 10.0.11.2/32 is given twice"}},
		{"interface twice", "[front0, back0]", "[front0, front0]", []string{`edge.yaml:8: interfaces[1]: "front0" is given twice`}},
		{"interface absent", "[front0, back0]", "[front0, bakc0]",
			[]string{`edge.yaml:8: interfaces[1]: no interface "bakc0" on this machine, which has back0, front0, lo`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			text := minimal + tt.new + "\n"
			if tt.old != "" {
				text = strings.Replace(minimal, tt.old, tt.new, 1)
			}
			wantFaults(t, text, tt.want...)
		})
	}
}

func TestLoadConfigFaultsOfWholeFiles(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"empty", "", []string{"edge.yaml:1: the file is empty"}},
		{"only a comment", "# nothing\n", []string{"edge.yaml:1: the file is empty"}},
		{"not a mapping", "weir\n", []string{`edge.yaml:1: "weir" instead of a group of keys`}},
		{"broken syntax", minimal + "guard: [1\n", []string{"edge.yaml:13: not YAML, here or one line below: did not find expected ',' or ']'"}},
		{"two documents", minimal + "---\nguard: {}\n",
			[]string{"edge.yaml:14: a second document starts here; one file holds one configuration"}},
		{"everything missing", "log_level: info\n", []string{
			"edge.yaml:1: registrar.listen: is missing: the address and port where pool elements enrol",
			"edge.yaml:1: registrar.key_file: is missing: the file with a line identity:hexkey for each pool element",
			"edge.yaml:1: registrar.grants: is missing: nobody could enrol",
			"edge.yaml:1: interfaces: is missing: the interfaces that clients and servers are behind",
			"edge.yaml:1: services: is missing: nothing would be served"}},
		{"empty parts", "registrar:\n  listen: 10.0.0.1:3864\n  key_file: keys\n  grants:\n    - {}\ninterfaces: [lo]\nservices:\n  - {}\n", []string{
			"edge.yaml:5: registrar.grants[0].identity: is missing",
			"edge.yaml:5: registrar.grants[0].pools: is missing: the pools that this identity may serve",
			"edge.yaml:8: services[0].vip: is missing",
			"edge.yaml:8: services[0].port: is missing",
			"edge.yaml:8: services[0].protocol: is missing: tcp, udp, sctp, udp-lite or dccp",
			"edge.yaml:8: services[0].pool: is missing"}},
		{"many faults at once, in the order of the file",
			strings.NewReplacer(":3864", "", "front0", "eth7", "port: 80", "port: 0", "pool: web", "pool: dns").Replace(minimal) + "recovery: soon\n",
			[]string{
				`edge.yaml:2: registrar.listen: "10.0.0.1" is not an address and port, such as 10.0.0.1:3864`,
				`edge.yaml:6: registrar.grants[0].pools[0]: unknown pool "web": no service has it`,
				`edge.yaml:8: interfaces[0]: no interface "eth7" on this machine, which has back0, front0, lo`,
				"edge.yaml:11: services[0].port: 0 is not between 1 and 65535",
				`edge.yaml:13: services[0].pool: unknown pool "dns": no grant lets anyone serve it`,
				`edge.yaml:14: recovery: "soon" is not a duration, such as 500ms, 10s or 2h`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { wantFaults(t, tt.text, tt.want...) })
	}
}

func TestLoadConfigSocketPathTooLong(t *testing.T) {
	path := "/" + strings.Repeat("a", 107)
	wantFaults(t, minimal+"control: "+path+"\n",
		`edge.yaml:14: control: "`+path+`" has 108 bytes; a socket's path may have 107`)
}

func wantFaults(t *testing.T, text string, want ...string) {
	t.Helper()
	_, _, err := load(t, text)
	if err == nil {
		t.Fatal("accepted")
	}
	if got := err.Error(); got != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}
