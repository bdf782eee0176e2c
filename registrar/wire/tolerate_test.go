// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"reflect"
	"testing"

	"github.com/weir-lb/weir/registrar/wire"
)

// What the RFC does not write but lets a receiver ignore, or what its figures leave open.
func TestParseTolerates(t *testing.T) {
	odd := exampleElement()
	odd.Policy = wire.Policy{Type: 0x80000001, Data: []byte{0xaa}}
	long := exampleElement()
	long.Policy = wire.Policy{Type: wire.PolicyRoundRobin, Data: []byte{1, 2, 3, 4}}
	resolution := &wire.HandleResolution{Pool: "web"}
	ended := &wire.Deregistration{Pool: "web", PE: examplePE}

	cases := []struct {
		name, hex string
		want      wire.Message
	}{
		{"padding absent", "05 00 000b 0009 0007 776562", resolution},
		{"padding counted by the message", "05 00 000c 0009 0007 776562 00", resolution},
		{"padding not zero", "05 00 000b 0009 0007 776562 ff", resolution},
		{"padding partly there", "05 00 000d 0009 0009 7765622d31 00", &wire.HandleResolution{Pool: "web-1"}},
		{"padding partly counted", "05 00 000e 0009 0009 7765622d31 00", &wire.HandleResolution{Pool: "web-1"}},
		{"padding counted by the message and the pool element", `
			01 00 0038
			0009 0007 776562 00
			000a 002c 01020304 00000000 0000012c
			  0005 0010 0050 0000 0001 0008 c0000201
			  0008 0009 80000001 aa 000000`,
			&wire.Registration{Pool: "web", Element: odd}},
		{"padding counted by the message only", `
			01 00 0038
			0009 0007 776562 00
			000a 0029 01020304 00000000 0000012c
			  0005 0010 0050 0000 0001 0008 c0000201
			  0008 0009 80000001 aa 000000`,
			&wire.Registration{Pool: "web", Element: odd}},
		{"undefined flags", "05 fe 000b 0009 0007 776562 00", resolution},
		{"flags of a message that has none", "02 ff 0014 0009 0007 776562 00 000e 0008 01020304", ended},
		{"parameters in another order", "02 00 0014 000e 0008 01020304 0009 0007 776562 00", ended},
		{"operation error first", "04 00 001c 000c 0008 000a 0004 000e 0008 01020304 0009 0007 776562 00",
			&wire.DeregistrationResponse{Pool: "web", PE: examplePE, Causes: []wire.ErrorCause{{Code: wire.CauseSecurity}}}},
		{"policy before the transport", `
			01 00 0034 0009 0007 776562 00
			000a 0028 01020304 00000000 0000012c 0008 0008 00000001 0005 0010 0050 0000 0001 0008 c0000201`,
			&wire.Registration{Pool: "web", Element: exampleElement()}},
		{"reserved bits of a TCP transport", `
			01 00 0034 0009 0007 776562 00
			000a 0028 01020304 00000000 0000012c 0005 0010 0050 ffff 0001 0008 c0000201 0008 0008 00000001`,
			&wire.Registration{Pool: "web", Element: exampleElement()}},
		{"more data than the policy has", `
			01 00 0038 0009 0007 776562 00
			000a 002c 01020304 00000000 0000012c
			0005 0010 0050 0000 0001 0008 c0000201 0008 000c 00000001 01020304`,
			&wire.Registration{Pool: "web", Element: long}},
		{"0x803f of another length", "05 00 0016 0009 0007 776562 00 803f 000a 000000000001 0000", resolution},
		{"0x803f in another message", "02 00 001c 0009 0007 776562 00 803f 0008 00000003 000e 0008 01020304", ended},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			m, err := wire.ParseASAP(unhexed(c.hex))
			if err != nil || !reflect.DeepEqual(m, c.want) {
				t.Errorf("got %+v, %v; want %+v", m, err, c.want)
			}
		})
	}
}

func TestSecondItemsIsSkipped(t *testing.T) {
	m, err := wire.ParseASAP(unhexed("05 00 001c 0009 0007 776562 00 803f 0008 00000003 803f 0008 00000004"))
	if err != nil {
		t.Fatal(err)
	}
	if items := m.(*wire.HandleResolution).Items; items == nil || *items != 3 {
		t.Errorf("got %v", items)
	}
}
