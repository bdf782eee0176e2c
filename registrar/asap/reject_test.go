// SPDX-License-Identifier: Apache-2.0

package asap_test

import (
	"strings"
	"testing"

	"github.com/weir-lb/weir/registrar/asap"
	"github.com/weir-lb/weir/registrar/wire"
)

// RFC 5352 9.3: a plain peer of a secured registrar "will receive an error message response indicated as an error due to
// security considerations".
func TestPlainPeerOfASecuredRegistrar(t *testing.T) {
	security := []wire.ErrorCause{{Code: wire.CauseSecurity}}
	for _, test := range []struct {
		name string
		sent wire.Message
		want wire.Message
	}{
		{
			"a registration", &wire.Registration{Pool: "web", Element: element(7)},
			&wire.RegistrationResponse{Reject: true, Pool: "web", PE: 7, Causes: security},
		},
		{
			"a deregistration", &wire.Deregistration{Pool: "web", PE: 7},
			&wire.DeregistrationResponse{Pool: "web", PE: 7, Causes: security},
		},
		{
			"a resolution", &wire.HandleResolution{Pool: "web", Subscribe: true},
			&wire.HandleResolutionResponse{Pool: "web", Causes: security},
		},
		{"a report, which has no response", &wire.EndpointUnreachable{Pool: "web", PE: 7}, &wire.ErrorMessage{Causes: security}},
		{"an acknowledgement", &wire.EndpointKeepAliveAck{Pool: "web", PE: 7}, &wire.ErrorMessage{Causes: security}},
		{"another registrar's announcement", &wire.ServerAnnounce{Server: 1}, &wire.ErrorMessage{Causes: security}},
		{
			"a handle that leaves no room for a cause in the response",
			&wire.HandleResolution{Pool: wire.PoolHandle(strings.Repeat("x", 65527))}, &wire.ErrorMessage{Causes: security},
		},
		{"an error is never answered", &wire.ErrorMessage{Causes: security}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := asap.RejectPlain(encoded(t, test.sent))
			if want := encoded(t, test.want); string(got) != string(want) {
				t.Errorf("got %x, want %x", got, want)
			}
		})
	}
}

func TestPlainPeerThatSpeaksSomethingElse(t *testing.T) {
	hello := []byte{0x16, 3, 1, 0, 200, 1}
	whole := encoded(t, &wire.Deregistration{Pool: "web", PE: 7})
	for _, first := range [][]byte{nil, hello, []byte("GET / HTTP/1.1\r\n\r\n"), {0x40, 0, 0, 4}, whole[:len(whole)-4]} {
		if got := asap.RejectPlain(first); got != nil {
			t.Errorf("%x is answered: %x", first, got)
		}
	}
}

func encoded(t *testing.T, m wire.Message) []byte {
	t.Helper()
	if m == nil {
		return nil
	}
	b, err := wire.AppendASAP(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
