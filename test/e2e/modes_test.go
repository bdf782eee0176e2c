// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weir-lb/weir/agent/edge"
	"github.com/weir-lb/weir/test/lab"
)

// modesConfig is the gateway's; VIP and MODE are replaced too.
const modesConfig = `registrar:
  listen: 10.0.20.254:3864
  key_file: registrar.keys
  grants:
    - {identity: pe-1, pools: [web], addresses: [10.0.20.11, "fd20::11"]}
    - {identity: pe-2, pools: [dns], addresses: [10.0.20.11, "fd20::11"]}
interfaces: [front0]
services:
  - {vip: "VIP", port: 80, protocol: tcp, pool: web, mode: MODE}
  - {vip: "VIP", port: 53, protocol: udp, pool: dns, mode: MODE}
flows: {max: 4096, closing: 1s}
bpf: PINS
control: DIR/edge.sock
`

const (
	vip4, vip6         = "10.0.100.1", "fd00:100::1"
	element4, element6 = "10.0.20.11", "fd20::11"
)

// Real traffic in every mode that reaches a server without NAT, and every pair of families: the client's
// packets by the gateway, in frames of 1,500 bytes at most on every link, and the server's straight back.
func TestModes(t *testing.T) {
	for _, tt := range []struct{ mode, vip, element string }{
		{"dsr", vip4, element4}, {"dsr", vip6, element6},
		{"ipip", vip4, element4}, {"ipip", vip6, element6}, {"ipip", vip4, element6}, {"ipip", vip6, element4},
		{"gue", vip4, element4}, {"gue", vip6, element6}, {"gue", vip4, element6}, {"gue", vip6, element4},
	} {
		t.Run(fmt.Sprintf("%s_%s_at_%s", tt.mode, tt.vip, tt.element), func(t *testing.T) {
			m := newModeDeployment(t, tt.mode, tt.vip, tt.element)
			m.exchange()
			m.datagrams()
			m.counted()
			m.leave()
		})
	}
}

// modeDeployment is a gateway, its network, and a server with an element in each of two pools.
//
//	client ── router ═╤═ gateway
//	                  └─ server
type modeDeployment struct {
	*deployment
	router, server *lab.Node
	mode           string
	vip, element   netip.Addr
}

func newModeDeployment(t *testing.T, mode, vip, element string) *modeDeployment {
	t.Helper()
	n := &network{t: t}
	m := &modeDeployment{mode: mode, vip: netip.MustParseAddr(vip), element: netip.MustParseAddr(element)}
	m.deployment = &deployment{network: n, keys: map[string]string{}}
	m.build()
	m.dir = n.lab.Dir()
	for i := range servers {
		m.keys[identity(i)] = randomKey()
	}
	m.writeKeys()
	m.write("edge.yaml", strings.NewReplacer("DIR", m.dir, "PINS", m.pins, "VIP", vip, "MODE", mode).Replace(modesConfig))
	m.startEdge()
	t.Cleanup(m.showLogs)
	m.startElement(0, "web", "tcp", 80, "--receive", mode, "--vip", vip)
	m.startElement(1, "dns", "udp", 53)
	m.await("both elements are active", func() bool {
		s, err := m.fetch()
		return err == nil && active(s, 0) && active(s, 1)
	})
	return m
}

func active(s edge.Status, service int) bool {
	elements := s.Services[service].Elements
	return len(elements) == 1 && elements[0].State == edge.StateActive
}

func (m *modeDeployment) startElement(i int, pool, protocol string, port uint16, args ...string) {
	m.t.Helper()
	flags := []string{"pe", "--pool", pool, "--registrar", "10.0.20.254", "--local", element4, "--identity", identity(i),
		"--key-file", m.path(identity(i) + ".keys"), "--serve", protocol + "://" + netip.AddrPortFrom(m.element, port).String(), "--drain", "0s"}
	var err error
	m.pes[i], err = m.server.Start(exec.Command(binary, append(flags, args...)...))
	m.must(err)
}

// exchange sends 20 MB each way over one connection, one way after the other.
func (m *modeDeployment) exchange() {
	m.t.Helper()
	const size = 20 << 20
	listener := listenIn(m, m.server, func() (net.Listener, error) { return net.Listen("tcp", netip.AddrPortFrom(m.vip, 80).String()) })
	served := make(chan error, 1)
	go func() { served <- serveExchange(listener, size) }()
	var conn net.Conn
	m.must(m.client.Do(func() (err error) {
		conn, err = net.DialTimeout("tcp", netip.AddrPortFrom(m.vip, 80).String(), patience)
		return err
	}))
	defer conn.Close()
	m.must(conn.SetDeadline(time.Now().Add(2 * patience)))
	m.must(sendAll(conn, size, 1))
	m.must(receiveAll(conn, size, 2))
	m.must(<-served)
	m.must(listener.Close())
}

// listenIn opens a socket in a node's namespace, as soon as the address is there.
func listenIn[T any](m *modeDeployment, node *lab.Node, open func() (T, error)) (socket T) {
	m.t.Helper()
	m.await("the VIP is there", func() bool {
		return node.Do(func() (err error) { socket, err = open(); return err }) == nil
	})
	return socket
}

func serveExchange(l net.Listener, size int) error {
	conn, err := l.Accept()
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := receiveAll(conn, size, 1); err != nil {
		return fmt.Errorf("server: %w", err)
	}
	return sendAll(conn, size, 2)
}

func sendAll(conn net.Conn, size int, seed uint64) error {
	_, err := io.CopyN(conn, rand.NewChaCha8([32]byte{byte(seed)}), int64(size))
	return err
}

func receiveAll(conn net.Conn, size int, seed uint64) error {
	got, want := make([]byte, 1<<16), make([]byte, 1<<16)
	expected := rand.NewChaCha8([32]byte{byte(seed)})
	for at := 0; at < size; at += len(got) {
		if _, err := io.ReadFull(conn, got); err != nil {
			return fmt.Errorf("after %d bytes: %w", at, err)
		}
		expected.Read(want) // never fails
		if !bytes.Equal(got, want) {
			return fmt.Errorf("other bytes within %d to %d", at, at+len(got))
		}
	}
	return nil
}

// datagrams sends some of several sizes, each of which comes back.
func (m *modeDeployment) datagrams() {
	m.t.Helper()
	at := netip.AddrPortFrom(m.vip, 53)
	server := listenIn(m, m.server, func() (net.PacketConn, error) { return net.ListenPacket("udp", at.String()) })
	echoed := make(chan error, 1)
	go func() { echoed <- answerAll(server) }()
	var conn net.Conn
	m.must(m.client.Do(func() (err error) { conn, err = net.Dial("udp", at.String()); return err }))
	defer conn.Close()
	for size := 1; size <= 1400; size += 27 {
		sent := bytes.Repeat([]byte{byte(size)}, size)
		m.must(conn.SetDeadline(time.Now().Add(patience)))
		if _, err := conn.Write(sent); err != nil {
			m.t.Fatal(err)
		}
		got := make([]byte, 2000)
		n, err := conn.Read(got) // from the VIP alone: the socket is connected
		m.must(err)
		if !bytes.Equal(got[:n], sent) {
			m.t.Fatalf("%d bytes came back as %d", size, n)
		}
	}
	m.must(server.Close())
	<-echoed
}

func answerAll(conn net.PacketConn) error {
	buffer := make([]byte, 2000)
	for {
		n, from, err := conn.ReadFrom(buffer)
		if err != nil {
			return err
		}
		if _, err := conn.WriteTo(buffer[:n], from); err != nil {
			return err
		}
	}
}

// counted checks that it all went as it is meant to: the client's packets by the gateway, and only those; in
// tunnels what did not fit was answered, and the client learnt from it.
func (m *modeDeployment) counted() {
	m.t.Helper()
	packets := map[string]uint64{}
	for _, v := range m.status().Verdicts {
		packets[v.Name] = v.Packets
	}
	if n := packets["steer_forward"]; n < 20<<20/1500 {
		m.t.Errorf("%d packets were forwarded", n)
	}
	if n := packets["steer_return"]; n != 0 {
		m.t.Errorf("%d packets came back by the gateway", n)
	}
	if n := packets["steer_too_big"]; m.mode != "dsr" && (n == 0 || n > 200) || m.mode == "dsr" && n != 0 {
		m.t.Errorf("%d packets were too large", n)
	}
}

// leave ends the element that receives, and with it all that it changed of its host.
func (m *modeDeployment) leave() {
	m.t.Helper()
	m.must(m.pes[0].Signal(syscall.SIGTERM))
	select {
	case <-m.pes[0].Done():
	case <-time.After(patience):
		m.t.Fatal("weir pe does not end")
	}
	_, err := listenOnce(m.server, netip.AddrPortFrom(m.vip, 81))
	if err == nil {
		m.t.Errorf("%s is still there", m.vip)
	}
	if log := m.log(m.pes[0]); m.mode != "dsr" && !strings.Contains(log, "received in tunnels") {
		m.t.Errorf("the log does not say what came:\n%s", log)
	}
}

func listenOnce(node *lab.Node, at netip.AddrPort) (opened bool, err error) {
	err = node.Do(func() error {
		l, err := net.Listen("tcp", at.String())
		if err != nil {
			return err
		}
		return l.Close()
	})
	return err == nil, err
}
