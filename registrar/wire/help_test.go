// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"strings"
)

// unhexed reads hexadecimal digits; white space is ignored, and a semicolon begins a comment that ends with its line. It
// panics on anything else: the strings are constants of these tests.
func unhexed(s string) []byte {
	var digits strings.Builder
	for line := range strings.Lines(s) {
		line, _, _ = strings.Cut(line, ";")
		digits.WriteString(strings.Join(strings.Fields(line), ""))
	}
	b, err := hex.DecodeString(digits.String())
	if err != nil {
		panic(err)
	}
	return b
}

func addrs(s ...string) []netip.Addr {
	var as []netip.Addr
	for _, a := range s {
		as = append(as, netip.MustParseAddr(a))
	}
	return as
}

// Where registrationOf puts what it is given: after the message's header, the handle "web" and the element's fixed fields.
const nestedOffset = 4 + 8 + 16

// registrationOf is a registration whose pool element holds the given parameters, which must be padded. Only the two
// lengths are computed.
func registrationOf(nested string) []byte {
	params := unhexed(nested)
	b := unhexed(`01 00 0000 0009 0007 776562 00 000a 0000 01020304 00000000 0000012c`)
	binary.BigEndian.PutUint16(b[2:], uint16(nestedOffset+len(params)))
	binary.BigEndian.PutUint16(b[14:], uint16(16+len(params)))
	return append(b, params...)
}
