// SPDX-License-Identifier: Apache-2.0

package interop

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// poll is the pause between two looks at a registrar.
const poll = 100 * time.Millisecond

// weirRegistrar is weir registrar, and a way to look into it.
type weirRegistrar struct {
	*program
	host    *host
	control string
}

// The timers are short, but long enough for a machine that stands still for seconds, as an emulated one does. Whose
// associations end is suspect at once, so that last_heard delays nothing here.
const registrarConfig = `
control: %s
registrar:
  unsecured: true
  server_id: 0x%08x
  asap: [{protocol: sctp, address: %s}]
  enrp: [{protocol: sctp, address: %s}]
  keep_alive: {interval: 1s, timeout: 20s}
  announce: {%s}
  peers: [%s]
  lower_id_takes_over: true
  timers:
    mentor_hunt: 2s
    peer_heartbeat_cycle: %s
    max_time_last_heard: %s
    max_time_no_response: 5s
    takeover_expiry: 5s
    adoption_grace: 30s
`

// The groups that rsplib has.
const (
	asapGroup = "239.0.0.50:3863"
	enrpGroup = "239.0.0.51:9901"
)

// weirRegistrar starts weir registrar, and waits until it serves. On a segment it announces itself.
func (h *host) weirRegistrar(id uint32, peers ...*host) *weirRegistrar {
	n := h.network
	n.t.Helper()
	var list []string
	for _, p := range peers {
		list = append(list, fmt.Sprintf("{protocol: sctp, address: %s}", p.addr))
	}
	announce, heartbeat, silence := "", "1s", "20s"
	if n.segment { // it speaks once: who comes later has to be heard
		heartbeat, silence = "5m", "10m"
		announce = fmt.Sprintf("interface: eth0, asap: %q, enrp: %q, ttl: 30", asapGroup, enrpGroup)
	}
	r := &weirRegistrar{host: h, control: filepath.Join(n.lab.Dir(), h.name+".sock")}
	file := filepath.Join(n.dir, h.name+".yaml")
	config := fmt.Sprintf(registrarConfig, r.control, id, h.addr, h.addr, announce, strings.Join(list, ", "), heartbeat, silence)
	n.must(os.WriteFile(file, []byte(config), 0o644))
	r.program = h.start("weir", "registrar", "--config", file)
	r.await("ready")
	return r
}

// life is 30,000 s: rsplib takes the registration life for milliseconds, and its registrars drop what other registrars tell
// of after that.
const life = "30000s"

// found is how a program finds its registrar: nil is by its announcements.
func found(registrar *host) []string {
	flags := []string{"--plain", "--transport", "sctp"}
	if registrar == nil {
		return append(flags, "--multicast", asapGroup)
	}
	return append(flags, "--registrar", registrar.addr.String())
}

// weirElement starts weir pe with more flags, an element whose service is a port where nobody listens, and waits until it
// is registered.
func (h *host) weirElement(id uint32, registrar *host, flags ...string) *program {
	h.network.t.Helper()
	args := append([]string{"pe", "--pool", pool, "--id", fmt.Sprintf("%#x", id), "--serve", "sctp://" + h.at(7777),
		"--control-channel", "--life", life, "--drain", "0s"}, found(registrar)...)
	p := h.start("weir", append(args, flags...)...)
	p.await("msg=registered")
	return p
}

// weirUser is weir resolve: the identifiers that a registrar answers with, in order.
func (h *host) weirUser(registrar *host) []string {
	h.network.t.Helper()
	var answer struct {
		Elements []struct {
			ID string `json:"id"`
		} `json:"elements"`
	}
	p := h.start("weir", append([]string{"resolve", pool, "--json"}, found(registrar)...)...)
	<-p.process.Done()
	if err := json.Unmarshal(p.all(), &answer); err != nil {
		h.network.t.Fatalf("%v: %s", err, p.tail())
	}
	var ids []string
	for _, e := range answer.Elements {
		ids = append(ids, e.ID)
	}
	slices.Sort(ids)
	return ids
}

// element is what weir status tells of one.
type element struct {
	ID       string `json:"pe"`
	Home     string `json:"home"`
	Identity string `json:"identity"` // empty: it has not registered here
}

// elements are those of the pool that the registrar knows.
func (r *weirRegistrar) elements() []element {
	r.t.Helper()
	var status struct {
		Registrar struct {
			Pools []struct {
				Elements []element `json:"elements"`
			} `json:"pools"`
		} `json:"registrar"`
	}
	out, err := exec.Command("weir", "status", "--json", "--control", r.control).Output()
	if err == nil {
		err = json.Unmarshal(out, &status)
	}
	if err != nil {
		r.t.Fatalf("weir status of %s: %v; it said:\n%s", r.name, err, r.tail())
	}
	var all []element
	for _, p := range status.Registrar.Pools {
		all = append(all, p.Elements...)
	}
	return all
}

// awaitElements waits until the registrar knows just these elements of this home.
func (r *weirRegistrar) awaitElements(want ...string) {
	r.t.Helper()
	r.awaitThat(want, func(e element) string { return e.ID + "=" + e.Home })
}

// awaitRegistered waits until it has just these elements, and all have registered with it.
func (r *weirRegistrar) awaitRegistered(want ...string) {
	r.t.Helper()
	r.awaitThat(want, func(e element) string {
		if e.Identity == "" {
			return e.ID + " unregistered"
		}
		return e.ID
	})
}

// awaitWithout waits until it has just these elements, and none of them of a home that has died.
func (r *weirRegistrar) awaitWithout(dead string, want ...string) {
	r.t.Helper()
	r.awaitThat(want, func(e element) string {
		if e.Home == dead {
			return e.ID + " of the dead"
		}
		return e.ID
	})
}

// awaitAgreement waits until both know the same elements of the same homes.
func (r *weirRegistrar) awaitAgreement(other *weirRegistrar) {
	r.t.Helper()
	var want []string
	for _, e := range other.elements() {
		want = append(want, e.ID+"="+e.Home)
	}
	r.awaitElements(want...)
}

func (r *weirRegistrar) awaitThat(want []string, text func(element) string) {
	r.t.Helper()
	slices.Sort(want)
	tick := time.NewTicker(poll)
	defer tick.Stop()
	limit := time.After(patience)
	for {
		var have []string
		for _, e := range r.elements() {
			have = append(have, text(e))
		}
		if slices.Sort(have); slices.Equal(have, want) {
			return
		}
		select {
		case <-tick.C:
		case <-limit:
			r.t.Fatalf("%s has %v, not %v; it said:\n%s", r.name, have, want, r.tail())
		}
	}
}
