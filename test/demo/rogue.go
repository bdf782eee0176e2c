// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/weir-lb/weir/test/lab"
	"github.com/weir-lb/weir/test/traffic"
)

// rogue is an element that must be refused, and the words by which its log tells why.
type rogue struct {
	what    string
	element element
	says    string
}

func (d *deployment) rogues() []rogue {
	own := fmt.Sprintf("tcp://%s:%d", hostAddr(attackerNet), serverPort)
	others := fmt.Sprintf("tcp://%s:%d", serverAddr(1), serverPort)
	once := []string{"--attempts", "1"}
	return []rogue{
		{"a wrong key", element{identity: identity(0), key: randomKey(), pool: "web", serve: own, args: once}, refusedHandshake},
		{"an unknown identity", element{identity: "pe-nobody", key: randomKey(), pool: "web", serve: own, args: once}, refusedHandshake},
		{"a pool it may not serve", element{identity: mailIdentity, key: d.keys[mailIdentity], pool: "web", serve: own, args: once}, refusedSecurity},
		{"an address not its own", element{identity: spareIdentity, key: d.keys[spareIdentity], pool: "web", serve: others, args: once}, refusedSecurity},
	}
}

const (
	refusedHandshake = "handshake"
	refusedSecurity  = "rejected due to security considerations"
)

// rogueCheck: who has no business in the pool is refused, and nothing in the kernel changes.
func (d *deployment) rogueCheck(ctx context.Context, c *Check) error {
	before, err := fingerprint(d.pinDir())
	if err != nil {
		return err
	}
	for _, r := range d.rogues() {
		r.element.weight = 100
		p, err := d.enrol(d.attacker, r.element)
		if err != nil {
			return err
		}
		ok, seen := refused(ctx, p, r.says)
		c.expect(ok, r.what+": refused", "%s", seen)
	}
	var plain traffic.Plain
	if err := d.traffic(ctx, d.attacker, &plain, "plain", "--target", registrar); err != nil {
		return err
	}
	c.expect(plain.Closed, "plain text: refused", "connection closed: %t, %d bytes answered", plain.Closed, plain.Received)

	// A rogue with a valid key had a session; it is over when the gateway has seen its end.
	var after string
	_, _ = await(ctx, time.Second, "the rogues' sessions end", func() bool { // what was seen is judged below
		after, err = fingerprint(d.pinDir())
		return err != nil || after == before
	})
	if err != nil {
		return err
	}
	active := len(d.elements(ctx, "active"))
	c.expect(before == after && active == servers, "kernel maps byte for byte unchanged, 4 elements",
		"sha256 %.12s before, %.12s after, %d elements", before, after, active)
	return nil
}

// refused waits for the end of a rogue: it must fail, and say why.
func refused(ctx context.Context, p *lab.Process, says string) (bool, string) {
	select {
	case <-p.Done():
	case <-ctx.Done():
		return false, "still running"
	case <-time.After(5 * time.Second):
		_ = p.Kill() // it may have ended just now
		return false, "still trying after 5s"
	}
	err := p.Wait()
	text, readErr := os.ReadFile(p.LogFile())
	if readErr != nil {
		return false, readErr.Error()
	}
	if err == nil {
		return false, "it ended as if it had served"
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Contains(string(text), says), reason(lines[len(lines)-1])
}

// reason is the part of a refused element's last words that says why.
func reason(text string) string {
	text, _, _ = strings.Cut(text, "; grant identity")
	text, _, _ = strings.Cut(text, ", compare both key files")
	if i := strings.LastIndex(text, "the registrar has"); i >= 0 {
		return text[i:]
	}
	return strings.TrimPrefix(text, "weir pe: ")
}
