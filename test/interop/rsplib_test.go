// SPDX-License-Identifier: Apache-2.0

package interop

import (
	"fmt"
	"os"
	"strings"
)

// The ports of unsecured ASAP and ENRP (RFC 5352 8.3, RFC 5353 7.3).
const (
	asapPort = 3863
	enrpPort = 9901
)

// pool is the pool of all tests: the one that rspterminal asks for unless told otherwise.
const pool = "EchoPool"

// logged makes rsplib's programs say what they do.
func logged(args ...string) []string { return append(args, "-loglevel=5", "-logcolor=off") }

// rspregistrar starts rsplib's registrar, with short timers, and waits until it serves.
func (h *host) rspregistrar(id uint32, peers ...*host) *program {
	h.network.t.Helper()
	args := logged("-asap="+h.at(asapPort), "-enrp="+h.at(enrpPort), fmt.Sprintf("-identifier=%#x", id),
		"-asapannounce=off", "-enrpannounce=off", "-mentordiscoverytimeout=1000",
		"-endpointkeepalivetransmissioninterval=1000", "-endpointkeepalivetimeoutinterval=3000",
		"-peerheartbeatcycle=1000", "-peermaxtimelastheard=4000", "-peermaxtimenoresponse=3000",
		"-takeoverexpiryinterval=4000")
	for _, peer := range peers {
		args = append(args, "-peer="+peer.at(enrpPort))
	}
	p := h.start("rspregistrar", args...)
	p.await("The registrar is ready!")
	return p
}

// rspserver starts rsplib's pool element, the echo service, and waits until it is registered.
func (h *host) rspserver(id uint32, policy string, registrars ...*host) *program {
	h.network.t.Helper()
	args := logged("-echo", "-asapannounce=off", "-local="+h.at(7777), fmt.Sprintf("-identifier=%#x", id),
		"-policy="+policy, "-rereginterval=10000", "-registrarrequesttimeout=20000", "-registrarresponsetimeout=20000")
	for _, r := range registrars {
		args = append(args, "-registrar="+r.at(asapPort))
	}
	p := h.start("rspserver", args...)
	p.await("Successfully got response ($aa03)")
	return p
}

// rspterminal starts rsplib's pool user, with the pool element that the registrar chooses for it.
func (h *host) rspterminal(registrar *host) *terminal {
	n := h.network
	n.t.Helper()
	in, out, err := os.Pipe()
	n.must(err)
	defer in.Close()
	n.t.Cleanup(func() { out.Close() })
	args := logged("-registrar="+registrar.at(asapPort), "-asapannounce=off", "-poolhandle="+pool)
	return &terminal{program: h.startWith(in, "rspterminal", args...), line: out}
}

// terminal is a pool user, and the line that goes to its pool element.
type terminal struct {
	*program
	line *os.File
}

// echo sends a word, and waits until it comes back; it says from which element.
func (t *terminal) echo(word string) (id string) {
	t.t.Helper()
	if _, err := t.line.WriteString(word + "\n"); err != nil {
		t.t.Fatal(err)
	}
	id, _, _ = strings.Cut(t.await("from PE $"), ">")
	t.await(word)
	return id
}

// echoFrom is echo with only one element to choose.
func (t *terminal) echoFrom(id, word string) {
	t.t.Helper()
	if got := t.echo(word); got != id {
		t.t.Errorf("%s came back from %s, want %s", word, got, id)
	}
}
