// SPDX-License-Identifier: Apache-2.0

package path

import (
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"
	"time"
)

const (
	size     = 20 << 20
	patience = 20 * time.Second
	mtu      = 1300
)

// An end that sends full-sized segments, as both ends' MTUs allow, learns of every narrower link on the path:
// of the gateway's own from XDP, of the others from routers whose errors the gateway relays.
func TestTransfersLearnThePath(t *testing.T) {
	for _, tt := range []struct {
		name      string
		node, end string // that is narrow for what it sends
		upload    bool
		verdict   string
	}{
		{"upload, behind the gateway", "gateway", left(3), true, "steer_too_big"},
		{"upload, behind a router", "inner", left(4), true, "steer_icmp"},
		{"download, before the gateway", "gateway", right(2), false, "steer_too_big"},
		{"download, before a router", "outer", right(1), false, "steer_icmp"},
	} {
		for _, v6 := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, IPv6 %t", tt.name, v6), func(t *testing.T) {
				p := newPath(t)
				p.narrow(tt.node, tt.end, mtu)
				p.transfer(v6, tt.upload)
				if n := p.counted(tt.verdict); n == 0 || n > 100 {
					t.Errorf("%s was counted %d times; the path should be learnt once", tt.verdict, n)
				}
			})
		}
	}
}

// transfer sends the data through a connection to the service, and compares what arrives.
func (p *path) transfer(v6, upload bool) {
	p.Helper()
	var listener net.Listener
	must(p, p.nodes["server"].Do(func() (err error) {
		listener, err = net.Listen("tcp", netip.AddrPortFrom(linkAddr(links, 2, v6), serverPort).String())
		return err
	}))
	p.Cleanup(func() { listener.Close() })
	sums := make(chan result, 2)
	go func() {
		conn, err := listener.Accept()
		if err != nil {
			sums <- result{err: err}
			return
		}
		sums <- serve(conn, !upload)
	}()
	var conn net.Conn
	must(p, p.nodes["client"].Do(func() (err error) {
		conn, err = net.DialTimeout("tcp", netip.AddrPortFrom(vip(v6), vipPort).String(), patience)
		return err
	}))
	sums <- serve(conn, upload)
	a, b := <-sums, <-sums
	if a.err != nil || b.err != nil || a.sum != b.sum {
		p.Errorf("%v, %v; the same data: %t", a.err, b.err, a.sum == b.sum)
	}
}

// result is what one end sent or got.
type result struct {
	sum [sha256.Size]byte
	err error
}

// serve sends the data, or reads it.
func serve(conn net.Conn, sends bool) (r result) {
	defer conn.Close()
	if r.err = conn.SetDeadline(time.Now().Add(patience)); r.err != nil {
		return r
	}
	sum := sha256.New()
	if sends {
		data := io.LimitReader(rand.NewChaCha8([32]byte{1}), size)
		_, r.err = io.Copy(conn, io.TeeReader(data, sum))
	} else {
		var n int64
		if n, r.err = io.Copy(sum, conn); r.err == nil && n != size {
			r.err = fmt.Errorf("%d bytes arrived, want %d", n, size)
		}
	}
	r.sum = [sha256.Size]byte(sum.Sum(nil))
	return r
}

// Datagrams in fragments, there and back; on a path that is narrower than they are, too.
func TestDatagramsInFragments(t *testing.T) {
	for _, v6 := range []bool{false, true} {
		t.Run(fmt.Sprintf("IPv6 %t", v6), func(t *testing.T) {
			p := newPath(t)
			p.echo(v6)
			conn := p.datagrams(v6)
			p.converse(conn, 1000, 5) // until every neighbour is known
			before := p.counted("steer_forward")
			for _, bytes := range []int{1473, 4000, 60000} {
				p.converse(conn, bytes, 1)
			}
			if n := p.counted("steer_forward") - before; n < 2+3+40 {
				t.Errorf("%d packets were steered to the element: they were no fragments", n)
			}
			stack := p.counted("steer_neighbor")
			for _, link := range []int{2, 3} { // there the gateway sends to the client, here to the element
				narrower := mtu + 100*(3-link)
				p.narrow(nodes()[link-1], left(link), narrower)
				p.narrow(nodes()[link], right(link), narrower)
				p.converse(conn, 4000, 5) // IPv6: the first ones tell the ends
			}
			if n := p.counted("steer_neighbor") - stack; !v6 && n < 2*2 {
				t.Errorf("%d packets were fragmented further by the stack, want two in each direction", n)
			}
			if n := p.counted("steer_too_big"); v6 && n < 2 {
				t.Errorf("%d errors, want one to each end", n)
			}
			if n := p.counted("fragment"); n > 20 {
				t.Errorf("%d fragments did not find their first one", n)
			}
		})
	}
}

// echo has the server send back every datagram until the test is over.
func (p *path) echo(v6 bool) {
	p.Helper()
	var server *net.UDPConn
	must(p, p.nodes["server"].Do(func() (err error) {
		server, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(linkAddr(links, 2, v6), serverPort)))
		return err
	}))
	done := make(chan struct{})
	p.Cleanup(func() { server.Close(); <-done })
	go func() {
		defer close(done)
		buffer := make([]byte, 1<<16)
		for {
			n, from, err := server.ReadFromUDPAddrPort(buffer)
			if err != nil {
				return
			}
			if _, err := server.WriteToUDPAddrPort(buffer[:n], from); err != nil {
				continue // a message that is longer than the path takes: the next one is fragmented
			}
		}
	}()
}

func (p *path) datagrams(v6 bool) (conn net.Conn) {
	p.Helper()
	must(p, p.nodes["client"].Do(func() (err error) {
		conn, err = net.Dial("udp", netip.AddrPortFrom(vip(v6), vipPort).String())
		return err
	}))
	p.Cleanup(func() { conn.Close() })
	return conn
}

// converse sends a datagram of so many bytes until it comes back, which one of the tries must.
func (p *path) converse(conn net.Conn, bytes, tries int) {
	p.Helper()
	sent, got := make([]byte, bytes), make([]byte, 1<<16)
	_, _ = rand.NewChaCha8([32]byte{byte(bytes)}).Read(sent) // never fails
	var err error
	for range tries {
		if _, err = conn.Write(sent); err != nil {
			continue
		}
		must(p, conn.SetReadDeadline(time.Now().Add(time.Second)))
		for n := 0; err == nil; { // what came late is of an earlier try
			if n, err = conn.Read(got); err == nil && string(got[:n]) == string(sent) {
				return
			}
		}
	}
	p.Errorf("%d bytes did not come back in %d tries: %v", bytes, tries, err)
}
