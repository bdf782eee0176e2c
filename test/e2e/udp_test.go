// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"
)

// names is the UDP service of this test.
var names = netip.MustParseAddrPort("10.0.100.2:53")

// Datagrams reach the elements, those of one client port the same one, and answers come from the
// VIP. A client of a lost element that does not listen for errors loses a question, and is then answered by another one.
func TestDatagrams(t *testing.T) {
	d := prepare(t, "udp")
	d.configure("{vip: 10.0.100.1, port: 80, protocol: tcp", "{vip: 10.0.100.2, port: 53, protocol: udp",
		"grants:", "grace: 0s\n  grants:")
	d.startEdge()
	t.Cleanup(d.showLogs)
	for i := range servers {
		d.startServer(i)
		d.startPE(i, "--serve", "udp://"+server(i).String())
	}
	d.awaitStates("active", "active")
	answers := map[string]int{}
	var last [servers]*net.UDPConn // a client of each
	for range enough {
		c := d.datagrams()
		name := d.converse(c, names)
		answers[name]++
		for i := range last {
			if name == serverName(i) {
				last[i] = c
			}
		}
	}
	if last[0] == nil || last[1] == nil || len(answers) != servers {
		t.Fatalf("answers by server: %v", answers)
	}
	if flows := d.awaitFlows(enough); flows != enough {
		t.Errorf("%d flows, want %d", flows, enough)
	}
	d.killPE(1)
	d.awaitLost(1)
	_, err := last[1].WriteToUDPAddrPort([]byte("lost"), names)
	d.must(err)
	for _, c := range last {
		if name := d.converse(c, names); name != serverName(0) {
			t.Errorf("after %s is lost, %s answers", serverName(1), name)
		}
	}
}

// datagrams is a socket of the client. It is not connected, and so shows whom answers come from.
func (n *network) datagrams() (conn *net.UDPConn) {
	n.t.Helper()
	n.must(n.client.Do(func() (err error) {
		conn, err = net.ListenUDP("udp4", nil)
		return err
	}))
	n.t.Cleanup(func() { conn.Close() })
	return conn
}

// converse sends three datagrams, and returns the name of the one server that answers.
func (n *network) converse(conn *net.UDPConn, target netip.AddrPort) (name string) {
	n.t.Helper()
	n.must(conn.SetDeadline(time.Now().Add(clientTimeout)))
	buffer := make([]byte, 2048)
	for i := range 3 {
		text := fmt.Sprintf("question %d", i)
		_, err := conn.WriteToUDPAddrPort([]byte(text), target)
		n.must(err)
		got, from, err := conn.ReadFromUDPAddrPort(buffer)
		n.must(err)
		server, echo, _ := strings.Cut(string(buffer[:got]), " ")
		if from != target || echo != text || name != "" && server != name {
			n.t.Fatalf("sent %q to %s, and %s before; got %q from %s", text, target, name, buffer[:got], from)
		}
		name = server
	}
	return name
}

// awaitFlows waits until the first service has as many flows, and returns how many it has then.
func (d *deployment) awaitFlows(want uint64) (flows uint64) {
	d.within(patience, func() bool {
		flows = d.status().Services[0].Flows
		return flows == want
	})
	return flows
}
