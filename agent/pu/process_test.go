// SPDX-License-Identifier: Apache-2.0

package pu

import (
	"bufio"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/weir-lb/weir/agent/control"
	"github.com/weir-lb/weir/registrar/wire"
)

// asElement makes the test binary an element: a process that counts.
const asElement = "WEIR_TEST_ELEMENT"

func TestMain(m *testing.M) {
	if os.Getenv(asElement) != "" {
		fmt.Fprintln(os.Stderr, count())
		os.Exit(1)
	}
	os.Exit(m.Run())
}

var poolKey = []byte("the elements of the pool share this")

// count serves one user at a time: a first connection whose first line is
// "control", and a second one with a number for each line. The number is in
// the cookie, so that the next element goes on with it.
func count() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println(l.Addr())
	for {
		if err := countFor(l); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
	}
}

func countFor(l net.Listener) error {
	data, err := l.Accept()
	if err != nil {
		return err
	}
	defer data.Close()
	stream, err := l.Accept()
	if err != nil {
		return err
	}
	defer stream.Close()
	ctx := context.Background()
	channel, err := control.Accept(ctx, stream, wire.BusinessCard{Pool: "web"})
	if err != nil {
		return err
	}
	var n uint64
	for lines := bufio.NewScanner(data); lines.Scan(); {
		if lines.Text() == "go on" { // an echo is there
			if n, err = brought(ctx, channel); err != nil {
				return err
			}
			continue
		}
		n++
		if err := channel.SendCookie(ctx, control.Sign(poolKey, binary.BigEndian.AppendUint64(nil, n))); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(data, n); err != nil {
			return err
		}
	}
	return nil
}

// brought is the number in the cookie that the user echoes.
func brought(ctx context.Context, channel *control.Element) (uint64, error) {
	m, err := channel.Receive(ctx)
	if err != nil {
		return 0, err
	}
	echo, ok := m.(*wire.CookieEcho)
	if !ok {
		return 0, fmt.Errorf("the first message is %v", m.Type())
	}
	state, ok := control.Verify(poolKey, echo.Data)
	if !ok {
		return 0, errors.New("the cookie is forged")
	}
	return binary.BigEndian.Uint64(state), nil
}

// startElement is the process, and where it serves.
func startElement(t *testing.T) (*exec.Cmd, netip.AddrPort) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), asElement+"=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return cmd, netip.MustParseAddrPort(strings.TrimSpace(line))
}

// counting is a user's connections to an element.
type counting struct {
	t       *testing.T
	conn    *Conn
	answers *bufio.Reader
	stream  net.Conn
	served  func() error
}

func newCounting(t *testing.T, conn *Conn) *counting {
	t.Helper()
	stream, err := net.Dial("tcp", conn.RemoteAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stream.Close() })
	channel, err := conn.Control().Open(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	return &counting{t, conn, bufio.NewReader(conn), stream, background(t, channel.Serve)}
}

func (c *counting) say(line string) {
	c.t.Helper()
	if _, err := fmt.Fprintln(c.conn, line); err != nil {
		c.t.Fatal(err)
	}
}

func (c *counting) want(n string) {
	c.t.Helper()
	c.say("next")
	if got, err := c.answers.ReadString('\n'); err != nil || got != n+"\n" {
		c.t.Fatalf("counted %q, error %v, want %s", got, err, n)
	}
}

// RFC 5352 3.8: the state of an element that is killed lives on in the next one.
func TestCookieCarriesStateToTheNextElement(t *testing.T) {
	r := serve(t, nil)
	first, firstAt := startElement(t)
	_, secondAt := startElement(t)
	at := func(id wire.PEID, a netip.AddrPort, priority uint32) wire.PoolElement {
		e := element(id, wire.Priority(priority))
		e.User.Port = a.Port()
		return e
	}
	enrol(t, r.Addr(), "pe-1", firstKey, at(1, firstAt, 9))
	enrol(t, r.Addr(), "pe-2", secondKey, at(2, secondAt, 5))
	seen := &events{}
	u := user(t, func(c *Config) { c.OnFailover = seen.on }, r.Addr())
	conn, err := u.Dial(t.Context(), "web")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := newCounting(t, conn)
	c.want("1")
	c.want("2")

	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.served() // all that it sent has been taken; a reset is as good an end as any
	_, err = c.answers.ReadString('\n')
	if err == nil {
		t.Fatal("the killed element answers")
	}
	seen.want(t)
	if conn, err = conn.Failover(t.Context(), err); err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	seen.want(t, "1>2")
	c = newCounting(t, conn)
	c.say("go on")
	c.want("3")
}
