// SPDX-License-Identifier: Apache-2.0

package control

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/weir-lb/weir/registrar/wire"
)

// wait is far longer than anything here takes; only a fault waits it out.
const wait = 20 * time.Second

// pipe is a connection whose ends each have a time limit.
func pipe(t *testing.T) (ofUser, ofElement net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ofUser, err = net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if ofElement, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ofUser.Close(); ofElement.Close() })
	return ofUser, ofElement
}

func limited(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	t.Cleanup(cancel)
	return ctx
}

func card(ids ...wire.PEID) wire.BusinessCard {
	c := wire.BusinessCard{Pool: "web"}
	for _, id := range ids {
		c.Elements = append(c.Elements, wire.PoolElement{ID: id, Policy: wire.RoundRobin(),
			User: wire.Transport{Protocol: wire.ProtocolTCP, Port: 80, Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.1")}}})
	}
	return c
}

// relation runs a user's side of one channel until the element closes it.
func relation(t *testing.T, u *User, element func(*Element)) {
	t.Helper()
	ctx := limited(t)
	ofUser, ofElement := pipe(t)
	served := make(chan error, 1)
	go func() {
		c, err := u.Open(ctx, ofUser)
		if err == nil {
			err = c.Serve(ctx)
		}
		served <- err
	}()
	e, err := Accept(ctx, ofElement, card(3, 2))
	if err != nil {
		t.Fatal(err)
	}
	element(e)
	ofElement.Close()
	if err := <-served; err != nil {
		t.Errorf("the user's side: %v", err)
	}
}

func TestLatestCookieGoesToTheNextElementFirst(t *testing.T) {
	ctx := limited(t)
	own := card()
	own.Pool = "clients"
	u := &User{Card: &own}
	big := bytes.Repeat([]byte{0xaa}, 65001)
	relation(t, u, func(e *Element) {
		for _, cookie := range [][]byte{[]byte("first"), {}, big} {
			if err := e.SendCookie(ctx, cookie); err != nil {
				t.Fatal(err)
			}
		}
		if m, err := e.Receive(ctx); err != nil || m.Type() != wire.TypeBusinessCard {
			t.Errorf("the first element receives %v, error %v, want the card alone", m, err)
		}
	})
	if got, ok := u.Cookie(); !ok || !bytes.Equal(got, big) {
		t.Errorf("keeps %d bytes, %v, want the latest cookie", len(got), ok)
	}
	relation(t, u, func(e *Element) {
		m, err := e.Receive(ctx)
		if echo, ok := m.(*wire.CookieEcho); err != nil || !ok || !bytes.Equal(echo.Data, big) {
			t.Errorf("the next element receives %v, error %v, want the echo", m, err)
		}
		m, err = e.Receive(ctx)
		if c, ok := m.(*wire.BusinessCard); err != nil || !ok || c.Pool != "clients" {
			t.Errorf("then it receives %v, error %v, want the card", m, err)
		}
	})
}

// An empty cookie is one too.
func TestEmptyCookieIsEchoed(t *testing.T) {
	ctx, u := limited(t), new(User)
	relation(t, u, func(e *Element) {
		if err := e.SendCookie(ctx, nil); err != nil {
			t.Fatal(err)
		}
	})
	relation(t, u, func(e *Element) {
		if m, err := e.Receive(ctx); err != nil || m.Type() != wire.TypeCookieEcho {
			t.Errorf("received %v, error %v, want the echo", m, err)
		}
	})
}

func TestBusinessCardsRecommend(t *testing.T) {
	ctx := limited(t)
	cards := make(chan wire.BusinessCard, 2)
	u := &User{OnCard: func(c wire.BusinessCard) { cards <- c }}
	if got := u.Preferred("web"); got != nil {
		t.Errorf("prefers %v without a card", got)
	}
	relation(t, u, func(e *Element) {
		if c := <-cards; !reflect.DeepEqual(c, card(3, 2)) {
			t.Errorf("heard of %+v", c)
		}
		if got := u.Preferred("web"); !slices.Equal(got, []wire.PEID{3, 2}) {
			t.Errorf("prefers %v, want 3, 2", got)
		}
		if err := e.SendCard(ctx, card(7)); err != nil {
			t.Fatal(err)
		}
		<-cards
	})
	if got := u.Preferred("web"); !slices.Equal(got, []wire.PEID{7}) {
		t.Errorf("prefers %v, want 7", got)
	}
	if got := u.Preferred("other"); got != nil {
		t.Errorf("prefers %v in another pool", got)
	}
}

// A message in single bytes, and a receiver that gives up meanwhile, again and again.
func TestMessagesSurviveHowTheyAreSplit(t *testing.T) {
	ctx := limited(t)
	ofUser, ofElement := pipe(t)
	e, err := Accept(ctx, ofElement, card())
	if err != nil {
		t.Fatal(err)
	}
	whole, err := wire.AppendASAP(nil, &wire.CookieEcho{Data: []byte("state")})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range whole {
		if _, err := ofUser.Write([]byte{b}); err != nil {
			t.Fatal(err)
		}
		hurry, cancel := context.WithTimeout(ctx, time.Millisecond)
		m, err := e.Receive(hurry)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) {
			continue
		}
		if echo, ok := m.(*wire.CookieEcho); err != nil || !ok || string(echo.Data) != "state" {
			t.Fatalf("received %v, error %v", m, err)
		}
		return
	}
	if m, err := e.Receive(ctx); err != nil || m.Type() != wire.TypeCookieEcho {
		t.Errorf("received %v, error %v", m, err)
	}
}

func TestFaultyStreams(t *testing.T) {
	for name, test := range map[string]struct {
		stream []byte
		want   error // nil: any
	}{
		"nothing":                     {nil, io.EOF},
		"the end within a header":     {[]byte{0x0c, 0}, io.ErrUnexpectedEOF},
		"the end within a message":    {[]byte{0x0c, 0, 0, 12, 0, 0}, io.ErrUnexpectedEOF},
		"a length below a header":     {[]byte{0x0c, 0, 0, 3}, nil},
		"only messages of no use":     {[]byte{0x80, 0, 0, 4, 0x0b, 0, 0, 8, 0, 0x0d, 0, 4}, io.EOF},
		"a cookie echo without one":   {[]byte{0x0c, 0, 0, 4}, io.EOF},
		"an unknown message, 01 bits": {[]byte{0x40, 0, 0, 4}, io.EOF},
	} {
		t.Run(name, func(t *testing.T) {
			ctx := limited(t)
			ofUser, ofElement := pipe(t)
			e, err := Accept(ctx, ofElement, card())
			if err != nil {
				t.Fatal(err)
			}
			if _, err := ofUser.Write(test.stream); err != nil {
				t.Fatal(err)
			}
			ofUser.(*net.TCPConn).CloseWrite()
			m, err := e.Receive(ctx)
			if err == nil || (test.want != nil && !errors.Is(err, test.want)) {
				t.Errorf("received %v, error %v, want %v", m, err, test.want)
			}
		})
	}
}

// RFC 5352 2.2.14: the sender of an unknown message is told, if its type asks for that.
func TestUnknownMessagesAreReported(t *testing.T) {
	ctx := limited(t)
	ofUser, ofElement := pipe(t)
	c, err := new(User).Open(ctx, ofUser)
	if err != nil {
		t.Fatal(err)
	}
	go c.Serve(ctx)
	if _, err := ofElement.Write([]byte{0x40, 0, 0, 4}); err != nil {
		t.Fatal(err)
	}
	reader := newChannel(ofElement)
	m, err := reader.receive(ctx)
	if report, ok := m.(*wire.ErrorMessage); err != nil || !ok || report.Causes[0].Code != wire.CauseUnrecognizedMessage {
		t.Errorf("received %v, error %v, want a report", m, err)
	}
}

func TestSendEndsWithItsContext(t *testing.T) {
	ofUser, ofElement := net.Pipe() // has no buffer
	defer ofUser.Close()
	defer ofElement.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := Accept(ctx, ofElement, card()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want the context's", err)
	}
	ofUser.Close()
	if _, err := Accept(t.Context(), ofElement, card()); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("error %v, want that the connection is closed", err)
	}
}

// Whoever waits for another's message to be sent waits no longer than its own context.
func TestSendsWaitForEachOtherUnderTheirContexts(t *testing.T) {
	ofUser, ofElement := net.Pipe() // has no buffer
	e := &Element{newChannel(ofElement)}
	blocked := make(chan error, 1)
	go func() { blocked <- e.SendCard(context.Background(), card()) }()
	if _, err := ofUser.Read(make([]byte, 1)); err != nil { // it has begun
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := e.SendCookie(ctx, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v, want the context's", err)
	}
	ofUser.Close()
	if err := <-blocked; err == nil {
		t.Error("sent to nobody")
	}
}

// What followed half a message would be taken for its rest.
func TestNothingFollowsHalfAMessage(t *testing.T) {
	ofUser, ofElement := net.Pipe()
	defer ofUser.Close()
	e := &Element{newChannel(ofElement)}
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		if _, err := ofUser.Read(make([]byte, 1)); err != nil {
			t.Error(err)
		}
		cancel()
	}()
	if err := e.SendCard(ctx, card()); !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v, want the context's", err)
	}
	rest := make(chan int, 1)
	go func() {
		b, _ := io.ReadAll(ofUser)
		rest <- len(b)
	}()
	if err := e.SendCookie(t.Context(), []byte("state")); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want what broke the channel", err)
	}
	ofElement.Close()
	if n := <-rest; n > 0 {
		t.Errorf("%d more bytes came", n)
	}
}

func TestSign(t *testing.T) {
	key, state := []byte("a key of the pool"), []byte("offset 7")
	cookie := Sign(key, state)
	if got, ok := Verify(key, cookie); !ok || !bytes.Equal(got, state) {
		t.Errorf("verified %q, %v", got, ok)
	}
	for i := range cookie {
		forged := slices.Clone(cookie)
		forged[i] ^= 1
		if _, ok := Verify(key, forged); ok {
			t.Errorf("a cookie with another byte %d is taken", i)
		}
	}
	for _, forged := range [][]byte{nil, cookie[:31], cookie[:32], cookie[:len(cookie)-1]} {
		if _, ok := Verify(key, forged); ok {
			t.Errorf("a cookie of %d bytes is taken", len(forged))
		}
	}
	if _, ok := Verify([]byte("another key"), cookie); ok {
		t.Error("a cookie of another key is taken")
	}
}
