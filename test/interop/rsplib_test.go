// SPDX-License-Identifier: Apache-2.0

package interop

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// The ports of unsecured ASAP and ENRP (RFC 5352 8.3, RFC 5353 7.3).
const (
	asapPort = 3863
	enrpPort = 9901
)

// pool is the pool of all tests: the one that rspterminal asks for unless told otherwise.
const pool = "EchoPool"

// echoPatience is how long a line may take there and back.
const echoPatience = 5 * time.Second

// logged makes rsplib's programs say what they do.
func logged(args ...string) []string { return append(args, "-loglevel=5", "-logcolor=off") }

// announce is rsplib's word for its own multicast groups, or for none.
func (n *network) announce() string {
	if n.segment {
		return "auto"
	}
	return "off"
}

// rspregistrar starts rsplib's registrar, with short timers, and waits until it serves. On a segment it announces itself.
func (h *host) rspregistrar(id uint32, peers ...*host) *program {
	h.network.t.Helper()
	args := logged("-asap="+h.at(asapPort), "-enrp="+h.at(enrpPort), fmt.Sprintf("-identifier=%#x", id),
		"-asapannounce="+h.network.announce(), "-enrpannounce="+h.network.announce(), "-mentordiscoverytimeout=1000",
		"-endpointkeepalivetransmissioninterval=1000", "-endpointkeepalivetimeoutinterval=20000",
		"-peerheartbeatcycle=1000", "-peermaxtimelastheard=10000", "-peermaxtimenoresponse=5000",
		"-takeoverexpiryinterval=5000")
	for _, peer := range peers {
		args = append(args, "-peer="+peer.at(enrpPort))
	}
	p := h.start("rspregistrar", args...)
	p.await("The registrar is ready!")
	return p
}

// rspserver starts rsplib's pool element, the echo service, and waits until it is registered. On a segment it hears
// announcements.
func (h *host) rspserver(id uint32, policy string, registrars ...*host) *program {
	h.network.t.Helper()
	args := logged("-echo", "-asapannounce="+h.network.announce(), "-local="+h.at(7777), fmt.Sprintf("-identifier=%#x", id),
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

// echo sends a word until it comes back, and says from which element. rspterminal drops a line when it finds no element to
// send it to, or finds that the one it had is gone.
func (t *terminal) echo(word string) (id string) {
	t.t.Helper()
	for range int(patience / echoPatience) {
		if _, err := t.line.WriteString(word + "\n"); err != nil {
			t.t.Fatal(err)
		}
		if line, ok := t.next("> "+word, t.process.Done(), echoPatience); ok {
			_, id, _ = strings.Cut(line, "from PE $")
			id, _, _ = strings.Cut(id, ">")
			return id
		}
	}
	t.t.Fatalf("%s: %q did not come back; it said:\n%s", t.name, word, t.tail())
	return ""
}

// echoFrom is echo with only one element to choose.
func (t *terminal) echoFrom(id, word string) {
	t.t.Helper()
	if got := t.echo(word); got != id {
		t.t.Errorf("%s came back from %s, want %s", word, got, id)
	}
}
