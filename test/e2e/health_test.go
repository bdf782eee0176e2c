// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"io"
	"testing"
)

// An element whose server fails three checks in a row leaves its pool, keeps its connections, and
// comes back with the server's health.
func TestHealthCheck(t *testing.T) {
	d := deploy(t, "health")
	d.killPE(1)
	d.awaitStates("active", "away")
	d.startPE(1, "--check", "http://"+server(1).String()+"/health", "--check-interval", "100ms")
	d.awaitStates("active", "active")
	held := d.hold(web)

	d.failChecks(1, 2)
	d.await("a check is good again", func() bool { return d.goodChecks(1) > 0 })
	d.expectDeparted("deregistered", 0)
	d.failChecks(1, 3)
	d.await("the element leaves", func() bool { return d.status().Registrar.Departed["deregistered"] == 1 })
	d.awaitStates("active", "active")

	d.failChecks(1, 1_000_000)
	d.awaitStates("active", "draining")
	d.expectDeparted("deregistered", 2)
	d.expectOnly(web, 0)
	d.expectAnswers(append(held[0], held[1]...))

	d.failChecks(1, 0)
	d.awaitStates("active", "active")
	d.expectOnly(web, 0, 1)
	d.expectAnswers(append(held[0], held[1]...))
	d.expectDeparted("lost", 0)
}

// failChecks makes a server fail that many checks from now on.
func (d *deployment) failChecks(i, times int) {
	d.t.Helper()
	response, err := d.browser(d.servers[i]).Post(fmt.Sprintf("http://%s/sick/%d", server(i), times), "", nil)
	d.must(err)
	d.must(response.Body.Close())
}

// goodChecks counts the checks that a server passed since failChecks.
func (d *deployment) goodChecks(i int) (n int) {
	d.t.Helper()
	response, err := d.browser(d.servers[i]).Get(fmt.Sprintf("http://%s/good", server(i)))
	d.must(err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	d.must(err)
	_, err = fmt.Sscan(string(text), &n)
	d.must(err)
	return n
}
