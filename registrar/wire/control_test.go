// SPDX-License-Identifier: Apache-2.0

package wire_test

import "github.com/weir-lb/weir/registrar/wire"

// controlCases are what pool elements and pool users send each other (RFC 5352 2.2.11 to 2.2.13).
func controlCases() []messageCase {
	weighted, second := exampleElement(), exampleElement()
	weighted.Home, weighted.Policy = exampleServer, wire.WeightedRoundRobin(5)
	second.ID, second.User.Addrs = 0x01020305, addrs("192.0.2.9")
	return []messageCase{
		{"cookie, padded", `
			0b 00 000d 000d 0009 7374617465 000000`,
			&wire.Cookie{Data: []byte("state")}},
		{"cookie, empty", `
			0b 00 0008 000d 0004`,
			&wire.Cookie{}},
		{"cookie echo", `
			0c 00 000c 000d 0008 00ff0a00`,
			&wire.CookieEcho{Data: []byte("\x00\xff\n\x00")}},
		{"business card", `
			0d 00 0060
			0009 0007 776562 00
			000a 002c 01020304 0a0b0c0d 0000012c
			  0005 0010 0050 0000 0001 0008 c0000201
			  0008 000c 00000002 00000005
			000a 0028 01020305 00000000 0000012c
			  0005 0010 0050 0000 0001 0008 c0000209
			  0008 0008 00000001`,
			&wire.BusinessCard{Pool: "web", Elements: []wire.PoolElement{weighted, second}}},
		{"business card that recommends nobody", `
			0d 00 000b 0009 0007 776562 00`,
			&wire.BusinessCard{Pool: "web"}},
	}
}
