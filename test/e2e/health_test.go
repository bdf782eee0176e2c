// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"os"
	"path/filepath"
	"testing"
)

// An element whose server fails its check leaves its pool, keeps its connections, and comes back
// with the server's health.
func TestHealthCheck(t *testing.T) {
	d := deploy(t, "health")
	d.killPE(1)
	d.startPE(1, "--check", "http://"+server(1).String()+"/health", "--check-interval", "100ms")
	d.awaitStates("active", "active")
	held := d.hold(web)
	sick := filepath.Join(d.path(serverName(1)), sickFile)

	d.must(os.WriteFile(sick, nil, 0o600))
	d.awaitStates("active", "draining")
	d.expectDeparted("deregistered", 1)
	d.expectDeparted("lost", 0)
	d.expectOnly(web, 0)
	d.expectAnswers(append(held[0], held[1]...))

	d.must(os.Remove(sick))
	d.awaitStates("active", "active")
	d.expectOnly(web, 0, 1)
	d.expectAnswers(append(held[0], held[1]...))
}
