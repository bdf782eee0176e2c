// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weir-lb/weir/agent/operate"
	"github.com/weir-lb/weir/registrar/transport"
	"github.com/weir-lb/weir/registrar/transport/psk"
	"github.com/weir-lb/weir/registrar/wire"
)

const patience = 20 * time.Second

// output is a log that can be read while it is written.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// running is a registrar that runs until the test ends.
type running struct {
	t      *testing.T
	ctx    context.Context
	cfg    Config
	log    *output
	reload chan Config
}

func run(t *testing.T, text string) *running {
	t.Helper()
	cfg, err := load(t, strings.ReplaceAll(text, "DIR", t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	r := &running{t: t, ctx: ctx, cfg: cfg, log: new(output), reload: make(chan Config)}
	done := make(chan error, 1)
	go func() { done <- Run(ctx, cfg, slog.New(slog.NewTextHandler(r.log, nil)), r.reload) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	r.await("ready", func() bool { return strings.Contains(r.log.String(), "msg=ready") })
	return r
}

func (r *running) await(what string, ok func() bool) {
	r.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-r.ctx.Done():
			r.t.Fatalf("not %s: %s", what, r.log)
		}
	}
}

func (r *running) status() Status {
	r.t.Helper()
	document, err := operate.FetchStatus(r.ctx, r.cfg.Control)
	if err != nil {
		r.t.Fatal(err)
	}
	var s Status
	if err := json.Unmarshal(document, &s); err != nil {
		r.t.Fatal(err)
	}
	return s
}

const lonely = `registrar:
  asap: [{address: 127.77.0.1:39864}]
  enrp: [{address: 127.77.0.1:39902}]
  server_id: 7
  key_file: DIR/keys
  grants: [{identity: pe-1, pools: [web]}]
control: DIR/control.sock
metrics: 127.77.0.1:39465
`

func TestRunShowsWhatItHolds(t *testing.T) {
	folder := t.TempDir()
	file := filepath.Join(folder, "keys")
	if err := os.WriteFile(file, []byte("pe-1:"+strings.Repeat("a1", 16)+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := run(t, strings.ReplaceAll(lonely, "DIR/keys", file))
	keys, err := psk.LoadKeys(file)
	if err != nil {
		t.Fatal(err)
	}
	s, err := transport.Dial(r.ctx, transport.DialConfig{Remote: at("127.77.0.1:39864"), Identity: "pe-1", Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	b, err := wire.AppendASAP(nil, &wire.Registration{Pool: "web", Element: wire.PoolElement{
		ID: 1, Life: wire.LifeInfinite, Policy: wire.RoundRobin(),
		User: wire.Transport{Protocol: wire.ProtocolTCP, Port: 80, Addrs: addrs("127.0.0.1")},
	}})
	if err == nil {
		err = s.Write(r.ctx, b)
	}
	if err == nil {
		_, err = s.Read(r.ctx) // the response
	}
	if err != nil {
		t.Fatal(err)
	}
	got := r.status()
	if g := got.Registrar; got.Role != operate.Registrar || !g.Secured || !g.Synchronised || g.ServerID != "0x00000007" ||
		len(g.Pools) != 1 || g.Pools[0].Elements[0].Identity != "pe-1" || g.Pools[0].Elements[0].Home != "0x00000007" {
		t.Errorf("%+v", got)
	}
	var table strings.Builder
	if err := got.WriteTable(&table, time.Now()); err != nil || !strings.HasPrefix(table.String(), "weir registrar  ready\n") {
		t.Errorf("%v\n%s", err, table.String())
	}
	response, err := http.Get("http://127.77.0.1:39465/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if text, err := io.ReadAll(response.Body); err != nil || !strings.Contains(string(text), "\nweir_registrar_elements 1\n") {
		t.Errorf("%v\n%s", err, text)
	}
	next := r.cfg // a reload without the grant: the element leaves
	next.Registrar.Grants, next.Control = nil, "/elsewhere"
	r.reload <- next
	r.await("revoked", func() bool { return r.status().Registrar.Stats.Departed["revoked"] == 1 })
	if log := r.log.String(); !strings.Contains(log, "only with a restart") || !strings.Contains(log, "settings=[control]") {
		t.Errorf("log\n%s", log)
	}
}

func TestUnsecuredSaysSo(t *testing.T) {
	r := run(t, "registrar: {unsecured: true, asap: [{address: 127.77.0.2:39863}]}\ncontrol: DIR/control.sock\n")
	if log := r.log.String(); !strings.Contains(log, "level=WARN") || !strings.Contains(log, "UNSECURED") {
		t.Errorf("log\n%s", log)
	}
	if s := r.status(); s.Registrar.Secured {
		t.Errorf("%+v", s)
	}
}

func TestRunSaysWhatToDo(t *testing.T) {
	r := run(t, "registrar: {unsecured: true, asap: [{address: 127.77.0.3:39863}]}\ncontrol: DIR/control.sock\n")
	for _, tt := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"address in use", func(c *Config) { c.Control += "2" },
			"another program listens at 127.77.0.3:39863: stop it, or choose another address for registrar.asap[0].address"},
		{"control socket in use", func(*Config) {},
			"another weir answers at " + r.cfg.Control + ": stop it first, or choose another path for control"},
		{"no keys", func(c *Config) { c.Registrar.Unsecured, c.Registrar.KeyFile = false, "/none" },
			"open key file: open /none: no such file or directory"},
		{"no interface", func(c *Config) {
			c.Control += "3"
			c.Registrar.ASAP[0].Addr = at("127.77.0.4:39863")
			c.Registrar.Announce.Interface = "none0"
		}, `registrar: announce: multicast on "none0": route ip+net: no such network interface`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := r.cfg
			tt.change(&cfg)
			err := Run(r.ctx, cfg, slog.New(slog.DiscardHandler), nil)
			if err == nil || err.Error() != tt.want {
				t.Errorf("%v, want %s", err, tt.want)
			}
		})
	}
}
