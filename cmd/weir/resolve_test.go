// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-lb/weir/agent/hunt"
	"github.com/weir-lb/weir/registrar/transport"
	"github.com/weir-lb/weir/registrar/wire"
)

func TestResolveFlagsThatAreWrong(t *testing.T) {
	keys := keyFile(t, "pu-1:"+testKey)
	noPEM := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(noPEM, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	usage := func(s string) outcome {
		return outcome{status: 2, stderr: "weir resolve: " + s + "; weir resolve --help lists the flags\n"}
	}
	failure := func(s string) outcome { return outcome{status: 1, stderr: "weir resolve: " + s + "\n"} }
	for _, test := range []struct {
		args []string
		want outcome
	}{
		{nil, outcome{status: 2, stderr: "weir resolve: POOL is missing; weir resolve --help shows the usage\n"}},
		{[]string{"web"}, usage("--registrar is missing")},
		{[]string{"web", "api", "--registrar", "a"}, usage(`unexpected argument "api"`)},
		{[]string{"", "--registrar", "a"}, usage("POOL has 0 bytes, 1 to 65000 are possible")},
		{[]string{"web", "--registrar", "a,:1"}, usage(`--registrar ":1" is not HOST[:PORT]`)},
		{[]string{"web", "--registrar", "b_ü:1"}, usage(`--registrar "b_ü" has no ASCII form: idna: disallowed rune U+005F`)},
		{[]string{"web", "--registrar", "a", "--server-name", "straße.example"},
			usage(`--server-name "straße.example" is strasse.example by RFC 3490 and xn--strae-oqa.example by RFC 5891: give the one that is meant`)},
		{[]string{"web", "--registrar", "a", "--timeout", "0s"}, usage("--timeout 0s is not positive")},
		{[]string{"web", "--registrar", "a", "--stale", "1ms"}, usage("--stale 1ms is below 100ms")},
		{[]string{"web", "--registrar", "a", "--identity", "pu-1"}, usage("--identity and --key-file need each other")},
		{[]string{"web", "--registrar", "a", "--key-file", keys}, usage("--identity and --key-file need each other")},
		{[]string{"web", "--registrar", "a", "--plain", "--ca", "x"}, usage("--plain is without TLS: there is no use for keys and certificates")},
		{[]string{"web", "--registrar", "a", "--identity", "pu-1", "--key-file", keys, "--ca", "x"},
			usage("--identity is instead of certificates: leave --ca, --server-name and --old-suite out")},
		{[]string{"web", "--registrar", "a", "--transport", "udp"}, usage(`--transport "udp" is not tcp or sctp`)},
		{[]string{"web", "--registrar", "a", "--multicast-interface", "lo"}, usage("--multicast-interface needs --multicast")},
		{[]string{"web", "--multicast", "224.0.1.185:3863"}, usage("--multicast needs --server-name: an address that anybody may announce is no identity")},
		{[]string{"web", "--multicast", "x", "--plain"}, usage(`--multicast "x" is not GROUP:PORT`)},
		{[]string{"web", "--multicast", "10.0.0.1:3863", "--plain"}, usage(`--multicast "10.0.0.1:3863" is not GROUP:PORT`)},
		{[]string{"web", "--registrar", "a", "--ca", noPEM}, failure(noPEM + " has no certificate in PEM")},
		{[]string{"web", "--registrar", "a", "--identity", "pu-2", "--key-file", keys},
			failure(keys + ` has no key for identity "pu-2"; add the line that the registrar's key file has`)},
	} {
		if got := inProcess(t, append([]string{"resolve"}, test.args...)...); got != test.want {
			t.Errorf("weir resolve %q:\n got %+v\nwant %+v", test.args, got, test.want)
		}
	}
}

func TestResolveDefaultPorts(t *testing.T) {
	for plain, want := range map[string]uint16{"--plain=false": 3864, "--plain": 3863} {
		r, err := parseResolve([]string{"--registrar", "10.0.0.1,bücher.example:4000", "web", plain}, env{stderr: io.Discard})
		if err != nil {
			t.Fatal(err)
		}
		if got := r.cfg.Registrars; got[0].Port != want || got[1] != (hunt.Registrar{Host: "xn--bcher-kva.example", Port: 4000}) || r.pool != "web" {
			t.Errorf("%s: %v, pool %q", plain, got, r.pool)
		}
	}
}

// served is an element at 10.0.0.ID:80.
func served(id byte, p wire.Policy) wire.PoolElement {
	return wire.PoolElement{ID: wire.PEID(id), Home: 0xf00d, Life: 600, Policy: p,
		User: wire.Transport{Protocol: wire.ProtocolTCP, Port: 80, Addrs: []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 0, id})}}}
}

func resolved(overall wire.PolicyType, elements ...wire.PoolElement) *wire.HandleResolutionResponse {
	return &wire.HandleResolutionResponse{Accepted: true, Pool: "web", Policy: &wire.Policy{Type: overall, Data: make([]byte, 8)}, Elements: elements}
}

// resolving runs weir resolve web with a key, against l.
func resolving(t *testing.T, l *transport.Listener, stdout io.Writer, change ...string) (status <-chan int, stderr *bytes.Buffer, stop func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	args := append([]string{"resolve", "web", "--registrar", l.Addr().String(), "--identity", "pe-1", "--key-file", keyFile(t, "pe-1:"+testKey)}, change...)
	ended := make(chan int, 1)
	stderr = new(bytes.Buffer)
	go func() { ended <- run(ctx, args, env{stdout: stdout, stderr: stderr}) }()
	return ended, stderr, cancel
}

func TestResolvePrints(t *testing.T) {
	wrr, lud := wire.WeightedRoundRobin, wire.LeastUsedWithDegradation
	v6 := served(3, wrr(1))
	v6.User = wire.Transport{Protocol: wire.ProtocolSCTP, Port: 81,
		Addrs: []netip.Addr{netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("10.1.0.3")}}
	for _, test := range []struct {
		name   string
		answer *wire.HandleResolutionResponse
		status int
		want   string // stdout and stderr
	}{
		{"weights", resolved(wire.PolicyWeightedRoundRobin, served(1, wrr(3)), v6), 0,
			"pool web  policy weighted-round-robin  elements 2\n" +
				"ELEMENT     ADDRESS                                VALUES    HOME\n" +
				"0x00000001  tcp://10.0.0.1:80                      weight 3  0x0000f00d\n" +
				"0x00000003  sctp://[2001:db8::1]:81,10.1.0.3:81  weight 1  0x0000f00d\n"},
		{"loads", resolved(wire.PolicyLeastUsedWithDegradation, served(1, lud(0x80000000, 0x0ccccccc))), 0,
			"pool web  policy least-used-with-degradation  elements 1\n" +
				"ELEMENT     ADDRESS            VALUES                         HOME\n" +
				"0x00000001  tcp://10.0.0.1:80  load 50.0%, degradation 5.0%  0x0000f00d\n"},
		{"no values", resolved(wire.PolicyRandom, served(1, wire.Random())), 0,
			"pool web  policy random  elements 1\nELEMENT     ADDRESS            VALUES  HOME\n0x00000001  tcp://10.0.0.1:80  -       0x0000f00d\n"},
		{"no pool", &wire.HandleResolutionResponse{Pool: "web", Causes: []wire.ErrorCause{{Code: wire.CauseUnknownPoolHandle}}}, 1,
			"weir resolve: resolve \"web\": there is no such pool\n"},
		{"nobody", &wire.HandleResolutionResponse{Pool: "web", Causes: []wire.ErrorCause{{Code: wire.CauseLackOfResources}}}, 1,
			"weir resolve: resolve \"web\": the pool has no element that can take work\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := listen(t)
			var stdout bytes.Buffer
			status, stderr, _ := resolving(t, l, &stdout)
			answer[*wire.HandleResolution](t, accept(t, l), test.answer)
			if got := <-status; got != test.status {
				t.Errorf("status %d, want %d", got, test.status)
			}
			if got := stdout.String() + stderr.String(); squeezed(got) != squeezed(test.want) {
				t.Errorf("printed\n%s, want\n%s", got, test.want)
			}
		})
	}
}

// squeezed makes one space of several: how wide a column is belongs to tabwriter.
func squeezed(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = strings.Join(strings.Fields(line), " ")
	}
	return strings.Join(lines, "\n")
}

func TestResolveJSON(t *testing.T) {
	l := listen(t)
	var stdout bytes.Buffer
	status, stderr, _ := resolving(t, l, &stdout, "--json")
	answer[*wire.HandleResolution](t, accept(t, l), resolved(wire.PolicyPriority, served(1, wire.Priority(7))))
	if got := <-status; got != 0 {
		t.Fatalf("status %d: %s", got, stderr)
	}
	var object map[string]any
	if err := json.Unmarshal(stdout.Bytes(), &object); err != nil {
		t.Fatal(err)
	}
	if at, ok := object["at"].(string); !ok || at == "" {
		t.Errorf("at is %v", object["at"])
	}
	delete(object, "at")
	got, _ := json.Marshal(object)
	const want = `{"elements":[{"addresses":["10.0.0.1"],"home":"0x0000f00d","id":"0x00000001","policy":"priority","port":80,` +
		`"priority":7,"protocol":"tcp","registration_life":600}],"event":"pool","policy":"priority","pool":"web","updates":true}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestResolveTimeout(t *testing.T) {
	l := listen(t)
	status, stderr, _ := resolving(t, l, io.Discard, "--timeout", "10ms")
	const want = "weir resolve: no registrar has answered within 10ms; --log-level debug says more\n"
	if got := <-status; got != 1 || stderr.String() != want {
		t.Errorf("status %d: %s", got, stderr)
	}
}

func TestResolveInterrupted(t *testing.T) {
	l := listen(t)
	status, stderr, stop := resolving(t, l, io.Discard)
	accept(t, l)
	stop()
	if got := <-status; got != 1 || stderr.String() != "weir resolve: interrupted\n" {
		t.Errorf("status %d: %s", got, stderr)
	}
}
