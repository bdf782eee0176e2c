// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"net/netip"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/weir-lb/weir/agent/edge"
)

const grantOfSecond = "    - {identity: pe-2, pools: [web], addresses: [10.0.12.2]}\n"

// What an element may no longer serve it does not: its flows end and it gets no new ones.
func TestReloadTakesAGrantAway(t *testing.T) {
	d := deploy(t, "grant")
	held := d.hold(web)
	d.configure(grantOfSecond, "")
	d.reload(reloaded)
	d.expectResets(held[1], 2*time.Second)
	d.expectAnswers(held[0])
	d.expectOnly(web, 0)
	d.expectDeparted("revoked", 1)
	d.awaitStates("active", "")
}

// A service that is added has its pool's elements at once, and those of the others stay.
func TestReloadAddsAService(t *testing.T) {
	d := deploy(t, "service")
	held := d.hold(web)
	added := netip.MustParseAddrPort("10.0.100.2:8000")
	d.configure("flows:", "  - {vip: 10.0.100.2, port: 8000, protocol: tcp, pool: web}\nflows:")
	d.reload(reloaded)
	d.expectOnly(added, 0, 1)
	d.expectOnly(web, 0, 1)
	d.expectAnswers(append(held[0], held[1]...))
	if s := d.status(); s.Recovering || len(s.Services) != 2 {
		t.Errorf("recovering: %v, services: %+v", s.Recovering, s.Services)
	}

	d.configure()
	d.reload(reloaded)
	if name, err := d.request(added); err == nil {
		t.Errorf("a service that was taken away was answered by %s", name)
	}
	d.expectAnswers(append(held[0], held[1]...))
}

// A fault in either file changes nothing, also not what is right in the other.
func TestReloadOfFaultyFiles(t *testing.T) {
	d := deploy(t, "faulty")
	held := d.hold(web)
	before := services(d.status())
	faults := []struct {
		name    string
		prepare func()
	}{
		{"unknown key", func() { d.configure(grantOfSecond, "", "flows:", "flow:") }},
		{"unknown pool", func() { d.configure("port: 80, protocol: tcp, pool: web", "port: 80, protocol: tcp, pool: wob") }},
		{"missing file", func() { d.must(os.Remove(d.path("edge.yaml"))) }},
		{"keys that others may read", func() {
			d.configure(grantOfSecond, "", "port: 80", "port: 81")
			d.must(os.Chmod(d.path("registrar.keys"), 0o644))
		}},
		{"short key", func() {
			d.configure("port: 80", "port: 81")
			d.must(os.Chmod(d.write("registrar.keys", "pe-1:"+knownKey[:30]), 0o600))
		}},
	}
	for _, tt := range faults {
		t.Run(tt.name, func(t *testing.T) {
			tt.prepare()
			d.reload(notTaken)
			if after := services(d.status()); !reflect.DeepEqual(after, before) {
				t.Errorf("services\n before %v\n  after %v", before, after)
			}
			d.expectOnly(web, 0, 1)
			d.expectAnswers(append(held[0], held[1]...))
		})
	}
	if n := d.status().Registrar.Sessions; n != servers {
		t.Errorf("%d sessions, want %d", n, servers)
	}
}

// services are what a status says of them, without what traffic changes.
func services(s edge.Status) (list [][]string) {
	for _, service := range s.Services {
		one := []string{service.VIP, service.Pool, service.Policy}
		for _, e := range service.Elements {
			one = append(one, describe(e))
		}
		list = append(list, one)
	}
	return list
}

// An identity whose key is taken away loses its session and its elements; with another key it may
// come back.
func TestReloadRotatesAKey(t *testing.T) {
	d := deploy(t, "keys")
	held := d.hold(web)
	delete(d.keys, identity(1))
	d.writeKeys()
	d.reload(reloaded)
	d.await("one session is left", func() bool { return d.status().Registrar.Sessions == 1 })
	if n := d.status().Registrar.Closed["revoked"]; n != 1 {
		t.Errorf("%d sessions were closed as revoked, want 1", n)
	}
	d.expectResets(held[1], 2*time.Second)
	d.expectAnswers(held[0])
	d.expectOnly(web, 0)

	d.keys[identity(1)] = randomKey()
	d.writeKeys()
	d.reload(reloaded)
	d.killPE(1)
	d.startPE(1)
	d.awaitStates("active", "active")
	d.expectOnly(web, 0, 1)
}
