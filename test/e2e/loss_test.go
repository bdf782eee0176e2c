// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

// on is what to change in baseConfig for a service with this setting, whose lost elements are not waited for.
func on(setting string) []string {
	return []string{"pool: web}\nflows", "pool: web, " + setting + "}\nflows", "grants:", "grace: 0s\n  grants:"}
}

// What the clients of a lost element hear by default: those that wait are reset, and the log says how many were asked.
func TestLossResets(t *testing.T) {
	d := deploy(t, "reset", on("on_loss: reset")...)
	held := d.hold(web)
	d.killPE(1)
	d.expectResets(held[1], patience)
	d.expectAnswers(held[0])
	d.expectOnly(web, 0)
	want := fmt.Sprintf("an element is lost\" service=tcp://%s pool=web element=%s identity=%s address=%s on_loss=reset", web, peID(1), identity(1), server(1))
	asked := fmt.Sprintf(" clients_asked=%d\n", len(held[1]))
	if log := d.log(d.edge) + "\n"; strings.Count(log, want) != 1 || strings.Count(log, asked) != 1 {
		t.Errorf("not once %q with %q in\n%s", want, asked, log)
	}
	if s := d.status().Services[0]; s.ClientsAsked != uint64(len(held[1])) || s.OnLoss != "reset" {
		t.Errorf("the status has %d clients asked, on_loss %s; want %d", s.ClientsAsked, s.OnLoss, len(held[1]))
	}
}

// Flows that drain stay although nobody speaks for their element any more, for their time.
func TestLossDrains(t *testing.T) {
	const drain = 3 * time.Second
	d := deploy(t, "drain", on("on_loss: drain, drain_time: "+drain.String())...)
	held := d.hold(web)
	killed := time.Now()
	d.killPE(1)
	d.awaitStates("active", "draining")
	d.expectDeparted("lost", 1)
	d.expectAnswers(append(held[0], held[1]...))
	d.expectOnly(web, 0)
	if until := element(d.status(), 1).Until; until == nil || until.Before(killed.Add(drain)) || until.After(time.Now().Add(drain)) {
		t.Errorf("draining until %v, want %s after %v", until, drain, killed)
	}
	d.expectResets(held[1], patience)
	if took := time.Since(killed); took < drain {
		t.Errorf("reset after %s, want %s", took, drain)
	}
	d.expectAnswers(held[0])
	d.awaitStates("active", "")
}

// Datagrams of flows that migrate lose nothing: the next one is another server's.
func TestLossMigrates(t *testing.T) {
	d := deployDatagrams(t, "migrate", "on_loss: migrate")
	c := d.clientOf(1)
	d.killPE(1)
	d.awaitLost(1)
	if got := d.converse(c, names); got != serverName(0) {
		t.Errorf("%s answers, want %s", got, serverName(0))
	}
}

// A client of datagrams that listens for errors hears at once that its server is lost, and may go on.
func TestLossIsToldToDatagrams(t *testing.T) {
	d := deployDatagrams(t, "refused", "on_loss: reset")
	before := d.clientOf(1)
	port := before.LocalAddr().(*net.UDPAddr)
	d.must(before.Close()) // its port is the flow's
	d.killPE(1)
	d.awaitLost(1)
	d.must(d.client.Do(func() error {
		c, err := net.DialUDP("udp4", &net.UDPAddr{Port: port.Port}, net.UDPAddrFromAddrPort(names))
		if err != nil {
			return err
		}
		defer c.Close()
		ask := func() (string, error) {
			if err := c.SetDeadline(time.Now().Add(clientTimeout)); err != nil {
				return "", err
			}
			if _, err := c.Write([]byte("?")); err != nil {
				return "", err
			}
			answer := make([]byte, 100)
			n, err := c.Read(answer)
			return string(answer[:n]), err
		}
		began := time.Now()
		if answer, err := ask(); !errors.Is(err, syscall.ECONNREFUSED) || time.Since(began) > time.Second {
			t.Errorf("after %s: %q, %v; want it refused at once", time.Since(began), answer, err)
		}
		if answer, err := ask(); err != nil || answer != serverName(0)+" ?" {
			t.Errorf("then: %q, %v; want %s", answer, err, serverName(0))
		}
		return nil
	}))
}

// deployDatagrams is a deployment whose servers answer datagrams, at names.
func deployDatagrams(t *testing.T, name, setting string) *deployment {
	t.Helper()
	d := prepare(t, name)
	d.configure("{vip: 10.0.100.1, port: 80, protocol: tcp, pool: web}", "{vip: 10.0.100.2, port: 53, protocol: udp, pool: web, "+setting+"}",
		"grants:", "grace: 0s\n  grants:")
	d.startEdge()
	t.Cleanup(d.showLogs)
	for i := range servers {
		d.startServer(i)
		d.startPE(i, "--serve", "udp://"+server(i).String())
	}
	d.awaitStates("active", "active")
	return d
}

// awaitLost waits until packets are steered without an element, whose row may be gone by then.
func (d *deployment) awaitLost(i int) {
	d.t.Helper()
	d.await("the element is lost", func() bool {
		s := d.status()
		state := element(s, i).State
		return s.Registrar.Departed["lost"] == 1 && (state == "lost" || state == "")
	})
}

// clientOf is a client that talks to the server. Its socket is closed when the test ends, or before that.
func (d *deployment) clientOf(i int) *net.UDPConn {
	d.t.Helper()
	for range enough {
		c := d.datagrams()
		if d.converse(c, names) == serverName(i) {
			return c
		}
	}
	d.t.Fatalf("of %d clients none talks to %s", enough, serverName(i))
	return nil
}
