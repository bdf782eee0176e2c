// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weir-lb/weir/test/lab"
)

// patience bounds every wait for something that does happen.
const patience = 10 * time.Second

// baseConfig is the gateway's configuration. DIR and PINS are replaced by paths.
const baseConfig = `registrar:
  listen: 10.0.0.1:3864
  key_file: registrar.keys
  grants:
    - {identity: pe-1, pools: [web], addresses: [10.0.11.2]}
    - {identity: pe-2, pools: [web], addresses: [10.0.12.2]}
interfaces: [client0, back1, back2]
services:
  - {vip: 10.0.100.1, port: 80, protocol: tcp, pool: web}
flows: {max: 4096, closing: 1s}
bpf: PINS
control: DIR/edge.sock
`

// web is the service of baseConfig.
var web = netip.MustParseAddrPort("10.0.100.1:80")

// deployment is a gateway's files and processes, and the servers with an element each.
type deployment struct {
	*network
	dir  string
	keys map[string]string // hex, by identity
	edge *lab.Process
	webs [servers]*lab.Process
	pes  [servers]*lab.Process
}

// prepare builds the network, the configuration and the key files; nothing runs yet.
func prepare(t *testing.T, name string) *deployment {
	t.Helper()
	n := newNetwork(t, name)
	d := &deployment{network: n, dir: n.lab.Dir(), keys: map[string]string{}}
	for i := range servers {
		d.keys[identity(i)] = randomKey()
	}
	d.writeKeys()
	d.configure()
	return d
}

// deploy starts everything, and waits until both elements are active.
func deploy(t *testing.T, name string, changes ...string) *deployment {
	t.Helper()
	d := prepare(t, name)
	d.configure(changes...)
	d.startEdge()
	for i := range servers {
		d.startServer(i)
		d.startPE(i)
	}
	d.awaitStates("active", "active")
	t.Cleanup(d.showLogs)
	return d
}

func identity(i int) string { return fmt.Sprintf("pe-%d", i+1) }

// peID is the identifier of an element, as the status shows it.
func peID(i int) string { return fmt.Sprintf("0x%08x", i+1) }

func randomKey() string {
	var b [32]byte
	rand.Read(b[:]) // never fails (crypto/rand, Go 1.24)
	return hex.EncodeToString(b[:])
}

func (d *deployment) path(name string) string { return filepath.Join(d.dir, name) }
func (d *deployment) control() string         { return d.path("edge.sock") }

func (d *deployment) write(name, text string) string {
	d.t.Helper()
	d.must(os.WriteFile(d.path(name), []byte(text), 0o600))
	return d.path(name)
}

// writeKeys writes the registrar's key file, and one for each element.
func (d *deployment) writeKeys() {
	d.t.Helper()
	var all strings.Builder
	for _, name := range slices.Sorted(maps.Keys(d.keys)) {
		line := name + ":" + d.keys[name] + "\n"
		all.WriteString(line)
		d.write(name+".keys", line)
	}
	d.write("registrar.keys", all.String())
}

// configure writes baseConfig with changes: pairs of what stands there and what shall.
func (d *deployment) configure(changes ...string) {
	d.t.Helper()
	d.write("edge.yaml", d.config(changes...))
}

func (d *deployment) config(changes ...string) string {
	d.t.Helper()
	text := baseConfig
	for pair := range slices.Chunk(changes, 2) {
		if !strings.Contains(text, pair[0]) {
			d.t.Fatalf("the configuration has no %q", pair[0])
		}
		text = strings.Replace(text, pair[0], pair[1], 1)
	}
	return strings.NewReplacer("DIR", d.dir, "PINS", d.pins).Replace(text)
}

// startEdge starts the gateway and waits until it is ready.
func (d *deployment) startEdge() {
	d.t.Helper()
	var err error
	d.edge, err = d.gateway.Start(exec.Command(binary, "edge", "--config", d.path("edge.yaml")))
	d.must(err)
	d.await("the gateway is ready", func() bool {
		select {
		case <-d.edge.Done():
			d.t.Fatalf("the gateway ended: %s", d.log(d.edge))
		default:
		}
		s, err := d.fetch()
		return err == nil && s.Ready
	})
}

// killEdge gives it no chance to clean up.
func (d *deployment) killEdge() {
	d.t.Helper()
	d.must(d.edge.Kill())
	<-d.edge.Done()
}

// reload makes the gateway read its files again, and waits until its log says how that went.
func (d *deployment) reload(outcome string) {
	d.t.Helper()
	before := strings.Count(d.log(d.edge), outcome)
	d.must(d.edge.Signal(syscall.SIGHUP))
	d.await("the gateway says: "+outcome, func() bool { return strings.Count(d.log(d.edge), outcome) > before })
}

const (
	reloaded = "configuration reloaded"
	notTaken = "the configuration is not taken"
)

func (d *deployment) startServer(i int) {
	d.t.Helper()
	var err error
	d.webs[i], err = d.servers[i].Start(inRole(roleServe, serverName(i), server(i).String()))
	d.must(err)
	d.await(serverName(i)+" listens", func() bool {
		return d.servers[i].Do(func() error {
			conn, err := net.DialTimeout("tcp", server(i).String(), time.Second)
			if err != nil {
				return err
			}
			return conn.Close()
		}) == nil
	})
}

// startPE starts an element's sidecar; args are added to its flags.
func (d *deployment) startPE(i int, args ...string) {
	d.t.Helper()
	flags := []string{"pe", "--pool", "web", "--registrar", "10.0.0.1", "--identity", identity(i),
		"--key-file", d.path(identity(i) + ".keys"), "--serve", "tcp://" + server(i).String(), "--id", peID(i)}
	var err error
	d.pes[i], err = d.servers[i].Start(exec.Command(binary, append(flags, args...)...))
	d.must(err)
}

// killPE ends an element's sidecar without a deregistration.
func (d *deployment) killPE(i int) {
	d.t.Helper()
	d.must(d.pes[i].Kill())
	<-d.pes[i].Done()
}

func (d *deployment) log(p *lab.Process) string {
	text, err := os.ReadFile(p.LogFile())
	d.must(err)
	return string(bytes.TrimSpace(text))
}

func (d *deployment) showLogs() {
	if d.t.Failed() {
		for _, p := range append([]*lab.Process{d.edge}, d.pes[:]...) {
			d.t.Logf("%s:\n%s", filepath.Base(p.LogFile()), d.log(p))
		}
	}
}
