// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weir-lb/weir/test/lab"
	"github.com/weir-lb/weir/test/require"
)

const (
	registrars = 3
	hosts      = 6
	perHost    = 50
	elements   = hosts * perHost
	pool       = "chaos"
	heartbeat  = time.Second
)

// timers of the registrars: what the RFCs have in tens of seconds, in seconds.
const timers = `  grace: 2s
  keep_alive: {interval: 2s, timeout: 3s}
  timers:
    peer_heartbeat_cycle: 1s
    max_time_last_heard: 2100ms
    max_time_no_response: 1s
    mentor_hunt: 2s
    takeover_expiry: 1s
    adoption_grace: 60s
`

// keepAliveRound is how long it takes at most to ask every element, at intervals spread by half, and to be answered.
const keepAliveRound = 3*time.Second + 3*time.Second

// life is long enough that no partition outlasts it: a registrar that hears no updates of an element may let it expire.
const life = 60 * time.Second

// deployment is the network, its files, and the processes. The disturber alone changes what runs.
//
//	registrar i ── hub ── host j, with perHost elements
type deployment struct {
	t          *testing.T
	weir, dir  string
	hub        *lab.Node
	nodes      [registrars]*lab.Node
	hosts      [hosts]*lab.Node
	registrars [registrars]*lab.Process
	elements   [elements]*lab.Process
}

func registrarAddr(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 1, byte(i + 1), 2}) }
func hostAddr(j int) netip.Addr      { return netip.AddrFrom4([4]byte{10, 2, byte(j + 1), 2}) }
func serverID(i int) string          { return fmt.Sprintf("0x%08x", 0x11111111*(i+1)) }
func peID(e int) string              { return fmt.Sprintf("0x%08x", e+1) }

func newDeployment(t *testing.T, weir string) *deployment {
	t.Helper()
	require.Need(t, require.Root, require.BPF, require.NetNS)
	l, err := lab.New("chaos", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	d := &deployment{t: t, weir: weir, dir: l.Dir()}
	d.must(d.build(l))
	d.must(d.writeFiles())
	return d
}

func (d *deployment) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

func (d *deployment) build(l *lab.Lab) (err error) {
	if d.hub, err = l.Node("hub"); err != nil {
		return err
	}
	if err = d.hub.Sysctl("net.ipv4.ip_forward", "1"); err != nil {
		return err
	}
	for i := range d.nodes {
		if d.nodes[i], err = d.host(l, fmt.Sprintf("registrar-%d", i+1), fmt.Sprintf("reg%d", i+1), registrarAddr(i)); err != nil {
			return err
		}
	}
	for j := range d.hosts {
		if d.hosts[j], err = d.host(l, fmt.Sprintf("host-%d", j+1), fmt.Sprintf("host%d", j+1), hostAddr(j)); err != nil {
			return err
		}
	}
	return nil
}

func (d *deployment) host(l *lab.Lab, name, hubIf string, addr netip.Addr) (*lab.Node, error) {
	return l.Host(name, lab.End{Name: "eth0", Addr: netip.PrefixFrom(addr, 24)},
		lab.End{Node: d.hub, Name: hubIf, Addr: netip.PrefixFrom(addr.Prev(), 24)})
}

func (d *deployment) path(name string) string    { return filepath.Join(d.dir, name) }
func (d *deployment) control(i int) string       { return d.path(fmt.Sprintf("registrar-%d.sock", i+1)) }
func (d *deployment) keys(name string) string    { return d.path(name + ".keys") }
func registrarName(i int) string                 { return fmt.Sprintf("registrar-%d", i+1) }
func elementName(e int) string                   { return fmt.Sprintf("pe-%03d", e+1) }
func toward(from, to int) string                 { return registrarName(from) + ">" + registrarName(to) }
func (d *deployment) write(n, text string) error { return os.WriteFile(d.path(n), []byte(text), 0o600) }

// writeFiles gives each direction of each pair of registrars, and each element, a key of its own.
func (d *deployment) writeFiles() error {
	keys := map[string]string{}
	var grants strings.Builder
	for e := range elements {
		keys[elementName(e)] = randomKey()
		fmt.Fprintf(&grants, "    - {identity: %s, pools: [%s]}\n", elementName(e), pool)
		if err := d.write(elementName(e)+".keys", elementName(e)+":"+keys[elementName(e)]+"\n"); err != nil {
			return err
		}
	}
	for from := range registrars {
		for to := range registrars {
			keys[toward(from, to)] = randomKey()
		}
	}
	for i := range registrars {
		if err := d.writeRegistrar(i, keys, grants.String()); err != nil {
			return err
		}
	}
	return nil
}

func (d *deployment) writeRegistrar(i int, keys map[string]string, grants string) error {
	var lines, peers strings.Builder
	for e := range elements {
		fmt.Fprintf(&lines, "%s:%s\n", elementName(e), keys[elementName(e)])
	}
	for j := range registrars {
		if j == i {
			continue
		}
		fmt.Fprintf(&lines, "%s:%s\n%s:%s\n", toward(i, j), keys[toward(i, j)], toward(j, i), keys[toward(j, i)])
		fmt.Fprintf(&peers, "    - {server_id: %s, address: %v, identity: %s, as: %s}\n",
			serverID(j), registrarAddr(j), toward(j, i), toward(i, j))
	}
	config := fmt.Sprintf("registrar:\n  server_id: %s\n  asap: [{address: %v}]\n  enrp: [{address: %v}]\n  key_file: %s\n"+
		"%s  grants:\n%s  peers:\n%scontrol: %s\n",
		serverID(i), registrarAddr(i), registrarAddr(i), d.keys(registrarName(i)), timers, grants, peers.String(), d.control(i))
	if err := d.write(registrarName(i)+".keys", lines.String()); err != nil {
		return err
	}
	return d.write(registrarName(i)+".yaml", config)
}

func randomKey() string {
	var b [32]byte
	rand.Read(b[:]) // never fails (crypto/rand, Go 1.24)
	return hex.EncodeToString(b[:])
}

func (d *deployment) startRegistrar(i int) {
	d.t.Helper()
	p, err := d.nodes[i].Start(exec.Command(d.weir, "registrar", "--config", d.path(registrarName(i)+".yaml")))
	d.must(err)
	d.registrars[i] = p
}

// startElement starts a sidecar, whose server nobody asks: what counts is its registration.
func (d *deployment) startElement(e int) {
	d.t.Helper()
	var all []string
	for i := range registrars { // each element begins with another one
		all = append(all, registrarAddr((e+i)%registrars).String())
	}
	p, err := d.hosts[e/perHost].Start(exec.Command(d.weir, "pe", "--pool", pool, "--registrar", strings.Join(all, ","),
		"--identity", elementName(e), "--key-file", d.keys(elementName(e)), "--id", peID(e), "--life", life.String(),
		"--serve", fmt.Sprintf("tcp://%v:%d", hostAddr(e/perHost), 1000+e), "--drain", "0s"))
	d.must(err)
	d.elements[e] = p
}

func (d *deployment) kill(p *lab.Process) {
	d.t.Helper()
	d.must(p.Kill())
	<-p.Done()
}

// registered tells whether a sidecar has said so since it was started.
func (d *deployment) registered(e int) bool {
	text, err := os.ReadFile(d.elements[e].LogFile())
	return err == nil && bytes.Contains(text, []byte("msg=registered"))
}
