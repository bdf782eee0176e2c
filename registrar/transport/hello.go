// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"encoding/binary"
	"fmt"
)

const (
	recordHeaderLen = 5    // type, version, length (RFC 8446 5.1)
	recordHandshake = 0x16 // the type of record that begins a client's side
	helloHeaderLen  = 4    // message type and length in 24 bits (RFC 8446 4)
	// maxHello is more than any client has reason to send, and what reading a
	// ClientHello may allocate.
	maxHello = 16 << 10

	extensionPreSharedKey = 41 // RFC 8446 4.2.11
)

// readHello returns the body of the ClientHello that c begins with, and leaves c
// as it was. It may lie in several records.
func readHello(c *opening) ([]byte, error) {
	var hello []byte
	for at := 0; ; {
		head, err := c.peek(at + recordHeaderLen)
		if err != nil {
			return nil, err
		}
		head = head[at:]
		n := int(binary.BigEndian.Uint16(head[3:]))
		if head[0] != recordHandshake || n == 0 || len(hello)+n > maxHello {
			return nil, fmt.Errorf("a ClientHello in a record of type %d with %d bytes", head[0], n)
		}
		at += recordHeaderLen + n
		record, err := c.peek(at)
		if err != nil {
			return nil, err
		}
		hello = append(hello, record[at-n:]...)
		if body, whole := helloBody(hello); whole {
			return body, nil
		}
	}
}

func helloBody(b []byte) (body []byte, whole bool) {
	if len(b) < helloHeaderLen {
		return nil, false
	}
	n := int(binary.BigEndian.Uint32(b)) & 0xffffff
	if len(b) < helloHeaderLen+n {
		return nil, false
	}
	return b[helloHeaderLen:][:n], true
}

// offersKey tells whether a ClientHello offers a pre-shared key: by TLS 1.3's
// extension, or by a suite of TLS 1.2. Neither is in a hello of who knows
// certificates only, since no server of ours gives tickets to resume with. What
// cannot be parsed offers none; TLS will say what is wrong with it.
func offersKey(hello []byte) bool {
	p := parser(hello)
	p.skip(2 + 32)           // version, random
	p.skip(int(p.number(1))) // session id
	suites := p.take(int(p.number(2)))
	p.skip(int(p.number(1))) // compression methods
	extensions := p.take(int(p.number(2)))
	for len(suites) >= 2 {
		if keySuite(uint16(suites.number(2))) {
			return true
		}
	}
	for len(extensions) >= 4 {
		if extensions.number(2) == extensionPreSharedKey {
			return true
		}
		extensions.skip(int(extensions.number(2)))
	}
	return false
}

// keySuite tells whether a suite's key exchange is PSK, DHE_PSK, RSA_PSK or
// ECDHE_PSK, by IANA's registry of TLS cipher suites.
func keySuite(suite uint16) bool {
	for _, r := range [...]struct{ first, last uint16 }{
		{0x002c, 0x002e}, // RFC 4785
		{0x008a, 0x0095}, // RFC 4279
		{0x00a8, 0x00b9}, // RFC 5487
		{0xc033, 0xc03b}, // RFC 5489
		{0xc064, 0xc071}, // RFC 6209: the last of them
		{0xc08e, 0xc09b}, // RFC 6367
		{0xc0a4, 0xc0ab}, // RFC 6655: the last of them
		{0xccab, 0xccae}, // RFC 7905
		{0xd001, 0xd005}, // RFC 8442
	} {
		if suite >= r.first && suite <= r.last {
			return true
		}
	}
	return false
}

// parser reads forward; beyond the end there are zeros and nothing.
type parser []byte

func (p *parser) take(n int) parser {
	n = min(n, len(*p))
	head := (*p)[:n]
	*p = (*p)[n:]
	return head
}

func (p *parser) skip(n int) { p.take(n) }

// number is a big-endian number of n bytes.
func (p *parser) number(n int) (v uint32) {
	for _, b := range p.take(n) {
		v = v<<8 | uint32(b)
	}
	return v
}
