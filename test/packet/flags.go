// SPDX-License-Identifier: Apache-2.0

package packet

import "strings"

// Flags are the flags of a TCP header.
type Flags uint8

// The flags by their bits in the header's 14th byte (RFC 9293 3.1).
const (
	FIN Flags = 1 << iota
	SYN
	RST
	PSH
	ACK
	URG
	ECE
	CWR
)

// String is the flags' names joined by a bar, as in SYN|ACK.
func (f Flags) String() string {
	var set []string
	for i, name := range []string{"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"} {
		if f&(1<<i) != 0 {
			set = append(set, name)
		}
	}
	if len(set) == 0 {
		return "none"
	}
	return strings.Join(set, "|")
}
