// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weir-lb/weir/agent/operate"
	registrarserver "github.com/weir-lb/weir/agent/server"
	"github.com/weir-lb/weir/test/lab"
	"github.com/weir-lb/weir/test/require"
)

// pair is two hosts on one link, 10.0.1.1 and 10.0.1.2, each with a registrar.
type pair struct {
	*network   // its lab and its waiting; it has no gateway
	hosts      [2]*lab.Node
	registrars [2]*lab.Process
}

func newPair(t *testing.T, name string) *pair {
	t.Helper()
	require.Need(t, require.Root, require.NetNS)
	l, err := lab.New("e2e-"+name, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	p := &pair{network: &network{t: t, lab: l}}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	var ends [2]lab.End
	for i := range p.hosts {
		p.hosts[i], err = l.Node(fmt.Sprintf("host-%d", i+1))
		p.must(err)
		ends[i] = lab.End{Node: p.hosts[i], Name: hostIf, Addr: netip.PrefixFrom(p.addr(i), 24)}
	}
	p.must(l.Link(ends[0], ends[1]))
	return p
}

func (p *pair) addr(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, 1, byte(i + 1)}) }
func (p *pair) control(i int) string  { return filepath.Join(p.lab.Dir(), fmt.Sprintf("r%d.sock", i+1)) }
func (p *pair) serverID(i int) string { return fmt.Sprintf("0x%08x", i+1) }
func (p *pair) start(i int, text string) {
	p.registrars[i] = p.run(i, "registrar", "--config", p.write(i, text))
}

// write writes the configuration of a registrar, in which ADDR, ID and CONTROL are replaced.
func (p *pair) write(i int, text string) string {
	p.t.Helper()
	file := filepath.Join(p.lab.Dir(), fmt.Sprintf("r%d.yaml", i+1))
	text = strings.NewReplacer("ADDR", p.addr(i).String(), "ID", p.serverID(i), "CONTROL", p.control(i)).Replace(text)
	p.must(os.WriteFile(file, []byte(text), 0o600))
	return file
}

// run starts weir on a host; its log is shown if the test fails.
func (p *pair) run(i int, args ...string) *lab.Process {
	p.t.Helper()
	process, err := p.hosts[i].Start(exec.Command(binary, args...))
	p.must(err)
	p.t.Cleanup(func() {
		if p.t.Failed() {
			p.t.Logf("%s on host %d:\n%s", args[0], i+1, logOf(process))
		}
	})
	return process
}

func logOf(p *lab.Process) string {
	text, _ := os.ReadFile(p.LogFile()) // it exists as soon as the process does
	return string(text)
}

func (p *pair) status(i int) (s registrarserver.Status) {
	document, err := operate.FetchStatus(p.t.Context(), p.control(i))
	if err == nil {
		err = json.Unmarshal(document, &s)
	}
	if err != nil {
		return registrarserver.Status{} // not yet, or not any more
	}
	return s
}

// awaitPeer waits until a registrar has the other one in a state.
func (p *pair) awaitPeer(i int, state string) {
	p.t.Helper()
	p.await(fmt.Sprintf("registrar %d has the other one as %s", i+1, state), func() bool {
		peers := p.status(i).Registrar.Peers
		return len(peers) == 1 && peers[0].ServerID == p.serverID(1-i) && peers[0].State == state
	})
}

// awaitElement waits until a registrar has one element, up, with this home, and whoever owns it there.
func (p *pair) awaitElement(i, home int, owner string) {
	p.t.Helper()
	p.await(fmt.Sprintf("registrar %d has the element with home %d of %q", i+1, home+1, owner), func() bool {
		pools := p.status(i).Registrar.Pools
		return len(pools) == 1 && pools[0].Count == 1 && pools[0].Elements[0].State == "up" &&
			pools[0].Elements[0].Home == p.serverID(home) && pools[0].Elements[0].Identity == owner
	})
}

// Nobody is told where anybody is: registrars and the element find each other by multicast (RFC 5352 3.6, RFC 5353 3.4.1).
func TestRegistrarsByMulticast(t *testing.T) {
	p := newPair(t, "multicast")
	const text = `registrar:
  unsecured: true
  asap: [{address: ADDR}]
  enrp: [{address: ADDR}]
  server_id: ID
  announce: {interface: eth0}
  timers: {peer_heartbeat_cycle: 200ms, max_time_last_heard: 1s, max_time_no_response: 300ms, mentor_hunt: 500ms, t6_serverannounce: 200ms}
control: CONTROL
`
	for i := range p.hosts {
		p.start(i, text)
	}
	for i := range p.hosts {
		p.awaitPeer(i, "active")
	}
	p.run(0, "pe", "--pool", "web", "--plain", "--multicast", "224.0.1.185:3863", "--multicast-interface", hostIf,
		"--serve", "tcp://"+netip.AddrPortFrom(p.addr(0), serverPort).String())
	var home int
	p.await("both registrars know the element", func() bool {
		for i := range p.hosts {
			pools := p.status(i).Registrar.Pools
			if len(pools) != 1 {
				return false
			}
			if pools[0].Elements[0].Identity != "" {
				home = i
			}
		}
		return true
	})
	p.awaitElement(home, home, "plain:"+p.addr(0).String())
	p.awaitElement(1-home, home, "")
	if n := p.status(0).Registrar.Stats.Peers; n.Announcements == 0 || n.AnnouncementErrors > 0 || n.Hints == 0 || n.Noise > 0 {
		t.Errorf("announcements: %+v", n)
	}
	p.must(p.registrars[home].Kill())
	p.awaitElement(1-home, 1-home, "plain:"+p.addr(0).String()) // taken over, and come by itself
}

// With exactly two registrars, each knowing the other by its key: one dies, the other one takes over, the element moves.
func TestRegistrarTakeover(t *testing.T) {
	p := newPair(t, "takeover")
	const text = `registrar:
  asap: [{address: ADDR}]
  enrp: [{address: ADDR}]
  server_id: ID
  key_file: keys
  reject_plain: true
  grants: [{identity: pe-1, pools: [web], addresses: [10.0.1.0/24]}]
  peers: [PEER]
  timers: {peer_heartbeat_cycle: 200ms, max_time_last_heard: 1s, max_time_no_response: 300ms, mentor_hunt: 500ms}
control: CONTROL
`
	keys := fmt.Sprintf("pe-1:%s\nr-1-to-2:%s\nr-2-to-1:%s\n", randomKey(), randomKey(), randomKey())
	file := filepath.Join(p.lab.Dir(), "keys")
	p.must(os.WriteFile(file, []byte(keys), 0o600))
	for i := range p.hosts {
		peer := fmt.Sprintf("{server_id: %d, address: %s, identity: r-%d-to-%d, as: r-%d-to-%d}", 2-i, p.addr(1-i), 2-i, 1+i, 1+i, 2-i)
		p.start(i, strings.Replace(text, "PEER", peer, 1))
	}
	for i := range p.hosts {
		p.awaitPeer(i, "active")
	}
	p.run(1, "pe", "--pool", "web", "--registrar", p.addr(0).String(), "--registrar", p.addr(1).String(), "--identity", "pe-1",
		"--key-file", file, "--serve", "tcp://"+netip.AddrPortFrom(p.addr(1), serverPort).String())
	var home int
	p.await("the element is registered", func() bool {
		for home = range p.hosts {
			if pools := p.status(home).Registrar.Pools; len(pools) == 1 && pools[0].Elements[0].Identity == "pe-1" {
				return true
			}
		}
		return false
	})
	p.awaitElement(1-home, home, "")
	// Who speaks without TLS learns that he must not (threats draft 2.15.3).
	plain := p.run(0, "pe", "--pool", "web", "--registrar", p.addr(0).String(), "--plain",
		"--serve", "tcp://"+netip.AddrPortFrom(p.addr(0), serverPort).String(), "--id", "9")
	p.await("the plain one is told", func() bool {
		return strings.Contains(logOf(plain), "rejected due to security considerations")
	})
	<-plain.Done() // it does not try again
	p.must(p.registrars[home].Kill())
	p.awaitElement(1-home, 1-home, "pe-1")
	p.await("the takeover completes", func() bool {
		return p.status(1 - home).Registrar.Stats.Peers.Takeovers["completed"] == 1
	})
	p.awaitElement(1-home, 1-home, "pe-1")
	if n := p.status(1 - home).Registrar.Stats.Departed; n["lost"] > 0 || n["forgotten"] > 0 {
		t.Errorf("the element was away: %v", n)
	}
}

// A gateway steers to what registered with another registrar, and goes on when that one dies.
func TestEdgeWithAnotherRegistrar(t *testing.T) {
	d := prepare(t, "several")
	for _, name := range []string{"r-1", "r-2"} {
		d.keys[name] = randomKey()
	}
	d.writeKeys()
	const timers = "  timers: {peer_heartbeat_cycle: 200ms, max_time_last_heard: 1s, max_time_no_response: 300ms, mentor_hunt: 500ms}\n"
	d.configure("interfaces:", "  server_id: 1\n  enrp: [{address: 10.0.0.1}]\n"+
		"  peers: [{server_id: 2, address: 10.0.12.2, identity: r-2, as: r-1}]\n"+timers+"interfaces:")
	file := d.write("other.yaml", `registrar:
  asap: [{address: 10.0.12.2}]
  enrp: [{address: 10.0.12.2}]
  server_id: 2
  key_file: registrar.keys
  grants: [{identity: pe-1, pools: [web], addresses: [10.0.11.2]}]
  peers: [{server_id: 1, address: 10.0.0.1, identity: r-1, as: r-2}]
`+timers+"control: "+d.path("other.sock")+"\n")
	other, err := d.servers[1].Start(exec.Command(binary, "registrar", "--config", file))
	d.must(err)
	d.startEdge()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("edge:\n%s\nregistrar:\n%s", d.log(d.edge), d.log(other))
		}
	})
	d.startServer(0)
	d.pes[0], err = d.servers[0].Start(exec.Command(binary, "pe", "--pool", "web", "--registrar", "10.0.12.2,10.0.0.1",
		"--identity", "pe-1", "--key-file", d.path("pe-1.keys"), "--serve", "tcp://"+server(0).String(), "--id", peID(0)))
	d.must(err)
	d.awaitStates("active")
	served := func() {
		t.Helper()
		if got, err := d.request(web); err != nil || got != serverName(0) {
			t.Errorf("served by %q, %v", got, err)
		}
	}
	served()
	e := element(d.status(), 0)
	d.must(other.Kill())
	d.await("the gateway is the element's home", func() bool {
		e = element(d.status(), 0)
		return e.Home == "0x00000001" && e.Identity == "pe-1"
	})
	if e.State != "active" {
		t.Errorf("%+v", e)
	}
	served()
}
