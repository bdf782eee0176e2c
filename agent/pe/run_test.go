// SPDX-License-Identifier: Apache-2.0

package pe

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/weir-lb/weir/agent/hunt"
	"github.com/weir-lb/weir/agent/link"
	"github.com/weir-lb/weir/registrar/wire"
)

func TestRunRegistersAnswersAndLeaves(t *testing.T) {
	s := serve(t, "127.0.0.1:0")
	e := start(t, nil, s.addr())
	p := s.accept()
	if got := p.session.Peer(); got != "pe-1" {
		t.Errorf("identity %q, want pe-1", got)
	}
	want := &wire.Registration{Pool: "web", Element: wire.PoolElement{
		ID: 0x00c0ffee, Life: 600, Policy: wire.Policy{Type: wire.PolicyRoundRobin},
		User: wire.Transport{Protocol: wire.ProtocolTCP, Port: 8080, Addrs: []netip.Addr{netip.MustParseAddr("127.0.0.1")}},
	}}
	got := receive[*wire.Registration](p)
	if len(got.Element.Policy.Data) == 0 {
		got.Element.Policy.Data = nil // an empty and an absent one are the same bytes
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("registration\n got %+v\nwant %+v", got, want)
	}
	p.send(&wire.RegistrationResponse{Pool: "web", PE: 0x00c0ffee})

	p.send(&wire.EndpointKeepAlive{Server: 7, Pool: "mail"}) // KA1: no answer
	p.send(&wire.EndpointKeepAlive{Server: 7, Pool: "web", Home: true})
	if ack := receive[*wire.EndpointKeepAliveAck](p); *ack != (wire.EndpointKeepAliveAck{Pool: "web", PE: 0x00c0ffee}) {
		t.Errorf("ack %+v", ack)
	}
	e.stop()
	p.grantLeave()
	if err := e.wait(); err != nil {
		t.Errorf("Run: %v", err)
	}
	for _, line := range []string{"msg=registered pool=web pe=0x00c0ffee registrar=" + s.addr().String(), "msg=deregistered"} {
		if !strings.Contains(e.log.String(), line) {
			t.Errorf("no %q in the log:\n%s", line, e.log.String())
		}
	}
}

// A session that is left open would hold a place at the registrar for as long as the process lives.
func TestRunEndsTheSessionBeforeTheDrain(t *testing.T) {
	s := serve(t, "127.0.0.1:0")
	e := start(t, func(c *Config) { c.Drain = time.Hour }, s.addr())
	p := s.enrol()
	e.stop()
	p.grantLeave()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if m, err := p.session.Read(ctx); !errors.Is(err, io.EOF) {
		t.Errorf("read %x, %v, want the end of the session", m, err)
	}
}

func TestRunReturnsToARestartedRegistrar(t *testing.T) {
	// The element dials from 127.0.0.1, so that it cannot take the port while nobody listens.
	s := serve(t, "127.0.0.2:0")
	e := start(t, nil, s.addr())
	for range 3 {
		p := s.enrol()
		at := s.addr().String()
		s.listener.Close()
		p.session.Close()
		s = serve(t, at)
	}
	p := s.enrol()
	if !strings.Contains(e.log.String(), `msg="connection lost"`) {
		t.Errorf("no lost connection in the log:\n%s", e.log.String())
	}
	e.stop()
	p.grantLeave()
	if err := e.wait(); err != nil {
		t.Errorf("Run: %v", err)
	}
}

func TestRunGoesRoundTheRegistrars(t *testing.T) {
	dead, live := serve(t, "127.0.0.1:0"), serve(t, "127.0.0.1:0")
	dead.listener.Close()
	start(t, nil, dead.addr(), live.addr())
	live.enrol()
}

func TestRunTellsWhyAHandshakeFails(t *testing.T) {
	for name, line := range map[string]string{"wrong key": "pe-1:" + wrongKey, "unknown identity": "pe-9:" + goodKey} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, "127.0.0.1:0")
			e := start(t, func(c *Config) {
				c.Keys = keys(t, line)
				c.Identity, _, _ = strings.Cut(line, ":")
				c.Attempts = 2
			}, s.addr())
			err := e.wait()
			identity, _, _ := strings.Cut(line, ":")
			want := "gave up after 2 attempts to register: no connection: no registrar serves us: " + s.addr().String() +
				`: the registrar has no identity "` + identity + `" or another key for it, compare both key files: `
			if err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Fatalf("Run:\n got %v\nwant %s…", err, want)
			}
			for _, key := range []string{goodKey, wrongKey} {
				if strings.Contains(err.Error()+e.log.String(), key) {
					t.Errorf("a key is in the error or the log:\n%v\n%s", err, e.log.String())
				}
			}
		})
	}
}

func TestRunEndsOnARejection(t *testing.T) {
	s := serve(t, "127.0.0.1:0")
	e := start(t, nil, s.addr())
	p := s.accept()
	r := receive[*wire.Registration](p)
	p.send(&wire.RegistrationResponse{Reject: true, Pool: r.Pool, PE: r.Element.ID,
		Causes: []wire.ErrorCause{{Code: wire.CauseSecurity}}})
	err := e.wait()
	if err == nil || !strings.Contains(err.Error(), "rejected due to security considerations") {
		t.Errorf("Run: %v", err)
	}
}

func TestRunFollowsTheServersHealth(t *testing.T) {
	var down atomic.Bool
	s := serve(t, "127.0.0.1:0")
	start(t, func(c *Config) {
		c.Check = func(context.Context) error {
			if down.Load() {
				return errSick
			}
			return nil
		}
	}, s.addr())
	p := s.enrol()
	down.Store(true)
	p.grantLeave()
	down.Store(false)
	s.enrol()
}

func TestRunReportsLoad(t *testing.T) {
	s := serve(t, "127.0.0.1:0")
	var percent atomic.Int64
	percent.Store(20)
	start(t, func(c *Config) {
		c.Policy = wire.LeastUsedWithDegradation(0, 9)
		c.Load = func(context.Context) (float64, error) { return float64(percent.Load()) / 100, nil }
		c.LoadInterval = 10 * time.Millisecond
	}, s.addr())
	p := s.accept()
	for _, want := range []struct {
		least, most uint32
		next        int64
	}{
		{0x33333333, 0x33333333, 90},
		{0xc0000000, 0xe6666667, 0}, // some 100 measurements lie within the gap, smoothed towards 90 %
		{0, 0x30000000, 0},
	} {
		r := receive[*wire.Registration](p)
		load, _ := r.Element.Policy.Load()
		degradation, _ := r.Element.Policy.Degradation()
		if load < want.least || load > want.most || degradation != 9 || r.Element.ID != testID {
			t.Errorf("registered %v with load %#x and degradation %d, want %v, %#x to %#x, 9", r.Element.ID, load, degradation, testID, want.least, want.most)
		}
		percent.Store(want.next)
		p.send(&wire.RegistrationResponse{Pool: r.Pool, PE: r.Element.ID})
	}
}

func TestRunNudged(t *testing.T) {
	s := serve(t, "127.0.0.1:0")
	nudge := make(chan os.Signal)
	start(t, func(c *Config) { c.Nudge = nudge }, s.addr())
	p := s.enrol()
	p.send(&wire.EndpointKeepAlive{Server: 7, Pool: testPool})
	receive[*wire.EndpointKeepAliveAck](p) // it has seen the response before this
	nudge <- syscall.SIGHUP
	p.grant()
}

func TestRunReportsWhatItDoesNotUnderstand(t *testing.T) {
	s := serve(t, "127.0.0.1:0")
	start(t, nil, s.addr())
	p := s.enrol()
	p.sendRaw([]byte{0x2f, 0, 0, 4}) // RFC 5354 4: top bits 00, dropped in silence
	p.sendRaw([]byte{0x6f, 0, 0, 4}) // top bits 01: dropped and reported
	got := receive[*wire.ErrorMessage](p)
	want := []wire.ErrorCause{{Code: wire.CauseUnrecognizedMessage, Info: []byte{0x6f, 0, 0, 4}}}
	if !reflect.DeepEqual(got.Causes, want) {
		t.Errorf("reported %+v, want %+v", got.Causes, want)
	}
}

func TestRunAnswersAFloodAtABoundedRate(t *testing.T) {
	s := serve(t, "127.0.0.1:0")
	e := start(t, nil, s.addr())
	p := s.enrol()
	began := time.Now()
	for range 100 {
		p.send(&wire.EndpointKeepAlive{Server: 7, Pool: testPool})
		p.sendRaw([]byte{0x6f, 0, 0, 4})
	}
	p.send(&wire.DeregistrationResponse{Pool: testPool, PE: testID}) // it registers again, after all answers
	answers := 0
	for {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		b, err := p.session.Read(ctx)
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		if m, _ := wire.ParseASAP(b); m.Type() == wire.TypeRegistration {
			break
		}
		answers++
	}
	if most := 10 + int(time.Since(began)/(200*time.Millisecond)); answers < 10 || answers > most {
		t.Errorf("%d answers of 200, want 10 to %d: a burst, and five a second", answers, most)
	}
	if n := strings.Count(e.log.String(), "messages come too fast"); n != 1 {
		t.Errorf("%d warnings in\n%s", n, e.log.String())
	}
}

func TestLinkDoesNotWaitForARegistrarThatDoesNotRead(t *testing.T) {
	s := serve(t, "127.0.0.1:0")
	cfg := Config{Registrars: []hunt.Registrar{{Host: "127.0.0.1", Port: s.addr().Port()}}, Identity: "pe-1", Keys: keys(t, "pe-1:"+goodKey)}
	hunter, err := newHunter(&cfg, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	accepted := make(chan *peer)
	go func() { accepted <- s.accept() }()
	found, err := hunter.Round(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	<-accepted
	l := link.Start(t.Context(), 1, nil, found.Session, sendQueue, make(chan link.Report))
	defer l.Close()
	long, err := wire.AppendASAP(nil, &wire.Deregistration{Pool: wire.PoolHandle(strings.Repeat("x", 60000)), PE: 1})
	if err != nil {
		t.Fatal(err)
	}
	for n := 0; l.Send(long); n++ { // until both ends' buffers and the queue are full
		if n == 10000 {
			t.Fatal("the queue has no end")
		}
	}
}

// RFC 5352 3.1, 3.6: the next registrar gets the same element.
func TestRunMovesToAnotherRegistrar(t *testing.T) {
	// The element dials from 127.0.0.1, so that it cannot take the other one's port while nobody listens.
	home, later := serve(t, "127.0.0.1:0"), serve(t, "127.0.0.2:0")
	later.listener.Close() // or the hunt might take it first
	e := start(t, nil, home.addr(), later.addr())
	p := home.enrol()
	next := serve(t, later.addr().String())
	home.listener.Close()
	p.session.Close()
	p = next.accept()
	if r := receive[*wire.Registration](p); r.Element.ID != testID || r.Pool != testPool || r.Element.Home != 0 {
		t.Errorf("registered %v in %q with home %v, want %v, %q, none", r.Element.ID, r.Pool, r.Element.Home, testID, testPool)
	}
	p.send(&wire.RegistrationResponse{Pool: testPool, PE: testID})
	e.stop()
	p.grantLeave()
	if err := e.wait(); err != nil {
		t.Errorf("Run: %v", err)
	}
}
