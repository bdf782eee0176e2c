// SPDX-License-Identifier: Apache-2.0

package operate

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/weir-lb/weir/registrar"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func exampleRegistrar() RegistrarStatus {
	heard := noon.Add(-1400 * time.Millisecond)
	return RegistrarStatus{
		ServerID: "0x00000001", Secured: true, Synchronised: true,
		ASAP: []string{"10.0.0.1:3864"}, ENRP: []string{"10.0.0.1:9902"},
		Peers: []PeerStatus{
			{ServerID: "0x00000002", State: "active", Address: "tcp://10.0.0.2:9902", Sessions: 1, Elements: 1, LastHeard: &heard},
			{ServerID: "0x00000003", State: "candidate"},
		},
		Pools: []PoolStatus{{Pool: "web", Policy: "round-robin", Count: 3, Elements: []PoolElementStatus{
			{"0x00000001", "pe-1", "tcp://10.0.11.2:8080", "0x00000001", "up"},
			{"0x00000002", "", "tcp://10.0.12.2:8080", "0x00000002", "away"},
		}}},
		Stats: registrar.Stats{Sessions: 2, Elements: 3, Pools: 1, Refused: map[string]uint64{"plain": 4}},
	}
}

const exampleRegistrarTable = `server     0x00000001, TLS
asap       10.0.0.1:3864
enrp       10.0.0.1:9902
holds      2 sessions, 3 elements in 1 pools
refused    plain 4

PEER          ADDRESS              ELEMENTS  HEARD   STATE
  0x00000002  tcp://10.0.0.2:9902         1  1s ago  active
  0x00000003  -                           0  never   CANDIDATE

pool web  policy round-robin  3 elements
  ELEMENT     IDENTITY  ADDRESS               HOME        STATE
  0x00000001  pe-1      tcp://10.0.11.2:8080  0x00000001  up
  0x00000002  -         tcp://10.0.12.2:8080  0x00000002  AWAY
  and 1 more
`

func TestWriteRegistrar(t *testing.T) {
	var b bytes.Buffer
	exampleRegistrar().Write(&b, noon)
	if b.String() != exampleRegistrarTable {
		t.Errorf("got\n%s\nwant\n%s", b.String(), exampleRegistrarTable)
	}
}

// A pool handle is any bytes, chosen by whoever registers: it must not reach the operator's terminal as they are.
func TestPoolHandlesAreNoEscapeSequences(t *testing.T) {
	var b bytes.Buffer
	s := RegistrarStatus{Pools: []PoolStatus{{Pool: "\x1b]0;web\a\nready", Policy: "round-robin"}}}
	s.Write(&b, noon)
	if want := "pool \"\\x1b]0;web\\a\\nready\"  policy"; !strings.Contains(b.String(), want) {
		t.Errorf("no %s in %q", want, b.String())
	}
}

func TestWriteRegistrarAlone(t *testing.T) {
	var b bytes.Buffer
	RegistrarStatus{ServerID: "0x00000001"}.Write(&b, noon)
	for _, want := range []string{"UNSECURED: everybody is believed", "none: no other registrars"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
}
