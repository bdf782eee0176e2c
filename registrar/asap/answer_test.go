// SPDX-License-Identifier: Apache-2.0

package asap_test

import (
	"strings"
	"testing"

	"github.com/weir-lb/weir/registrar/asap"
	"github.com/weir-lb/weir/registrar/wire"
)

// RFC 5352 3.1: "in all above cases, the ENRP server MUST reply", so what a rejection quotes must fit into it.
func TestRejectionOfTheLongestRegistrationCanBeSent(t *testing.T) {
	many := make([]string, 8186) // of 8 bytes each
	for i := range many {
		many[i] = "10.0.0.1"
	}
	for _, test := range []struct {
		name string
		with func(*wire.PoolElement)
	}{
		{"no life", life(0)},
		{"no port", port(0)},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := &wire.Registration{Pool: "web", Element: element(1, addrs(many...), test.with)}
			if b, err := wire.AppendASAP(nil, m); err != nil || len(b) < wire.MaxMessageLen-100 {
				t.Fatalf("a registration of %d bytes, %v, is no test", len(b), err)
			}
			w := newWorld()
			for _, a := range w.play(sends(0, "a", m)) {
				s, ok := a.(asap.Send)
				if !ok {
					continue
				}
				if _, err := wire.AppendASAP(nil, s.Message); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// Nor does a handle as long as a message allows leave one without an answer.
func TestLongestHandleIsAnswered(t *testing.T) {
	longest := wire.PoolHandle(strings.Repeat("x", 65527))
	shorter := longest[:65516] // the longest that a deregistration can have
	for _, test := range []struct {
		name string
		from peer
		sent wire.Message
		want string
	}{
		{"a resolution", "r", &wire.HandleResolution{Pool: longest, Subscribe: true}, "ASAP_ERROR"},
		{"a deregistration of nothing", "a", &wire.Deregistration{Pool: shorter, PE: 1}, "ASAP_DEREGISTRATION_RESPONSE"},
		{"a deregistration by who may not", "anonymous", &wire.Deregistration{Pool: shorter, PE: 1}, "ASAP_ERROR"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := wire.AppendASAP(nil, test.sent); err != nil {
				t.Fatal(err)
			}
			actions := newWorld().play(sends(0, test.from, test.sent))
			m := actions[len(actions)-1].(asap.Send).Message
			if _, err := wire.AppendASAP(nil, m); err != nil || m.Type().String() != test.want {
				t.Errorf("%v, %v; want %s", m.Type(), err, test.want)
			}
		})
	}
}
