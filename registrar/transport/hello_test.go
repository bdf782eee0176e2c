// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"testing"
	"testing/iotest"
)

// source is a connection of which only reading is asked.
type source struct {
	net.Conn
	io.Reader
}

func (s source) Read(p []byte) (int, error) { return s.Reader.Read(p) }

func from(r io.Reader) *opening { return newOpening(source{Reader: r}) }

// goHello is what crypto/tls says first: one record.
func goHello(t testing.TB) []byte {
	t.Helper()
	client, server := net.Pipe()
	go func() {
		_ = tls.Client(client, &tls.Config{ServerName: serverName}).Handshake()
	}()
	defer client.Close()
	head := make([]byte, recordHeaderLen)
	if _, err := io.ReadFull(server, head); err != nil {
		t.Fatal(err)
	}
	body := make([]byte, binary.BigEndian.Uint16(head[3:]))
	if _, err := io.ReadFull(server, body); err != nil {
		t.Fatal(err)
	}
	return append(head, body...)
}

// inRecords is a handshake message in records of n bytes.
func inRecords(msg []byte, n int) (out []byte) {
	for len(msg) > 0 {
		part := msg[:min(n, len(msg))]
		out = append(out, recordHandshake, 3, 1, byte(len(part)>>8), byte(len(part)))
		out = append(out, part...)
		msg = msg[len(part):]
	}
	return out
}

// hello is a ClientHello with these suites and extensions, header and all.
func hello(suites []uint16, extensions ...uint16) []byte {
	b := make([]byte, 2+32+1) // version, random, no session id
	b = binary.BigEndian.AppendUint16(b, uint16(2*len(suites)))
	for _, s := range suites {
		b = binary.BigEndian.AppendUint16(b, s)
	}
	b = append(b, 1, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(6*len(extensions)))
	for _, e := range extensions {
		b = binary.BigEndian.AppendUint16(b, e)
		b = append(b, 0, 2, 0, 41) // a value that looks like the extension's number
	}
	return append([]byte{1, 0, byte(len(b) >> 8), byte(len(b))}, b...)
}

func TestHelloInPieces(t *testing.T) {
	whole := goHello(t)
	msg := whole[recordHeaderLen:]
	for _, n := range []int{1, 3, 4, 5, 100, len(msg)} {
		b := append(inRecords(msg, n), "rest"...)
		c := from(iotest.OneByteReader(bytes.NewReader(b)))
		body, err := readHello(c)
		if err != nil || !bytes.Equal(body, msg[helloHeaderLen:]) {
			t.Errorf("in records of %d: %x, %v", n, body, err)
		}
		// All of it is read again.
		if again, _ := io.ReadAll(io.LimitReader(c, int64(len(b)))); !bytes.Equal(again, b) {
			t.Errorf("in records of %d: read again as %x", n, again)
		}
	}
	for n := range whole {
		if body, err := readHello(from(bytes.NewReader(whole[:n]))); err == nil {
			t.Errorf("cut at %d: %x", n, body)
		}
	}
}

func TestHelloThatIsNone(t *testing.T) {
	for name, b := range map[string][]byte{
		"an alert":     {0x15, 3, 1, 0, 2, 2, 40},
		"empty":        {recordHandshake, 3, 1, 0, 0},
		"an alert in":  append(inRecords(hello(nil), 10)[:15], 0x15, 3, 1, 0, 2, 2, 40),
		"without end":  bytes.Repeat([]byte{recordHandshake, 3, 1, 0, 1, 0xff}, maxHello+1),
		"large record": append([]byte{recordHandshake, 3, 1, 0x40, 1}, make([]byte, maxHello+1)...),
	} {
		if body, err := readHello(from(bytes.NewReader(b))); err == nil {
			t.Errorf("%s: %x", name, body)
		}
	}
}

// TestOffersKey has suites by their numbers in IANA's registry.
func TestOffersKey(t *testing.T) {
	for _, tc := range []struct {
		name       string
		suites     []uint16
		extensions []uint16
		want       bool
	}{
		{"nothing", nil, nil, false},
		{"certificates of TLS 1.2", []uint16{0x002f, 0xc02b, 0xc02f, 0xc009}, []uint16{0, 10, 11, 13}, false},
		{"certificates of TLS 1.3", []uint16{0x1301, 0x1302, 0x1303}, []uint16{43, 45, 51}, false},
		{"a key of TLS 1.3", []uint16{0x1301}, []uint16{43, 45, 51, 41}, true},
		{"TLS_PSK_WITH_AES_128_CBC_SHA", []uint16{0x002f, 0x008c}, nil, true},
		{"TLS_PSK_WITH_NULL_SHA", []uint16{0x002c}, nil, true},
		{"TLS_PSK_WITH_AES_128_GCM_SHA256", []uint16{0x00a8}, nil, true},
		{"TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256", []uint16{0xc037}, nil, true},
		{"TLS_ECDHE_PSK_WITH_CHACHA20_POLY1305_SHA256", []uint16{0xccac}, nil, true},
		{"TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256", []uint16{0xd001}, nil, true},
		{"beside the ranges", []uint16{0x002b, 0x002f, 0x0089, 0x0096, 0x00a7, 0x00ba, 0xc032, 0xc03c, 0xccaa, 0xd000}, nil, false},
	} {
		if got := offersKey(hello(tc.suites, tc.extensions...)[helloHeaderLen:]); got != tc.want {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
}

// FuzzHello: whatever comes, it is bounded, and all of it can be read again.
func FuzzHello(f *testing.F) {
	f.Add(goHello(f))
	f.Add(inRecords(hello([]uint16{0x008c}, 41), 7))
	f.Add([]byte{recordHandshake, 3, 1, 0, 4, 1, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		c := from(bytes.NewReader(b))
		body, err := readHello(c)
		if err == nil {
			offersKey(body)
			if len(body) > maxHello {
				t.Fatalf("%d bytes", len(body))
			}
		}
		c.opened()
		if again, _ := io.ReadAll(c); !bytes.Equal(again, b) {
			t.Fatalf("read again as %x", again)
		}
	})
}
