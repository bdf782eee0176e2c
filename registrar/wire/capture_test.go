// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"encoding/binary"
	"os"
	"testing"
)

const (
	asapPPID = 11   // RFC 5352 8.3
	asapPort = 3863 // RFC 5352 8.2
	enrpPPID = 12   // RFC 5353 5.4
	enrpPort = 9901 // RFC 5353 5.3

	protocolUDP  = 17
	protocolSCTP = 132
)

// captured is one message of a capture: a DATA chunk's or a datagram's payload.
type captured struct {
	frame int // counted from 1, as tshark does
	enrp  bool
	b     []byte
}

// readCapture is the ASAP and ENRP messages, in order, of a little-endian pcap file of Ethernet frames with IPv4 (which is what the
// captures are; anything else fails or panics here, and need not be read).
func readCapture(t testing.TB, name string) []captured {
	t.Helper()
	file, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if magic, link := binary.LittleEndian.Uint32(file), binary.LittleEndian.Uint32(file[20:]); magic != 0xa1b2c3d4 || link != 1 {
		t.Fatalf("magic %#x and link type %d", magic, link)
	}
	var all []captured
	for frame, rest := 1, file[24:]; len(rest) > 0; frame++ {
		n := binary.LittleEndian.Uint32(rest[8:])
		for _, c := range payloads(t, rest[16:16+n]) {
			c.frame = frame
			all = append(all, c)
		}
		rest = rest[16+n:]
	}
	return all
}

func payloads(t testing.TB, frame []byte) []captured {
	t.Helper()
	if binary.BigEndian.Uint16(frame[12:]) != 0x0800 {
		return nil
	}
	ip := frame[14:]
	ip = ip[:binary.BigEndian.Uint16(ip[2:])]
	segment := ip[4*(ip[0]&0xf):]
	switch ip[9] {
	case protocolSCTP:
		return dataChunks(t, segment[12:])
	case protocolUDP:
		port, b := binary.BigEndian.Uint16(segment[2:]), segment[8:binary.BigEndian.Uint16(segment[4:])]
		if port == asapPort || port == enrpPort {
			return []captured{{enrp: port == enrpPort, b: b}}
		}
	}
	return nil
}

// dataChunks is the user data of a packet's ASAP and ENRP DATA chunks without the chunks' padding, which their length leaves out
// (RFC 9260 3.3.1); one packet may bundle several.
func dataChunks(t testing.TB, chunks []byte) []captured {
	t.Helper()
	var all []captured
	for len(chunks) > 0 {
		n := int(binary.BigEndian.Uint16(chunks[2:]))
		if chunks[0] == 0 {
			ppid := binary.BigEndian.Uint32(chunks[12:])
			if chunks[1]&3 != 3 {
				t.Fatal("a fragmented message")
			}
			if ppid == asapPPID || ppid == enrpPPID {
				all = append(all, captured{enrp: ppid == enrpPPID, b: chunks[16:n]})
			}
		}
		chunks = chunks[min((n+3)&^3, len(chunks)):]
	}
	return all
}
