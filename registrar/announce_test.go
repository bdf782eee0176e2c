// SPDX-License-Identifier: Apache-2.0

package registrar

import (
	"context"
	"net"
	"net/netip"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-lb/weir/registrar/wire"
)

// air is a multicast group whose members are the test and a registrar.
type air struct {
	said   chan []byte // by the registrar
	heard  chan []byte // by the registrar
	closed chan struct{}
}

func newAir() *air {
	return &air{make(chan []byte, 100), make(chan []byte), make(chan struct{})}
}

func (a *air) Send(b []byte) error { a.said <- b; return nil }
func (a *air) Close() error        { close(a.closed); return nil }

func (a *air) Receive() ([]byte, netip.AddrPort, error) {
	select {
	case b := <-a.heard:
		return b, netip.MustParseAddrPort("10.0.0.2:3863"), nil
	case <-a.closed:
		return nil, netip.AddrPort{}, net.ErrClosed
	}
}

func (a *air) say(t *testing.T, m wire.Message) {
	t.Helper()
	b, err := wire.AppendASAP(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	a.heard <- b
}

// RFC 5352 3.6: a SERVER_ANNOUNCE every (N+1) times T6-Serverannounce, with all transports, N other registrars being heard.
func TestAnnouncements(t *testing.T) {
	listeners := []Listener{
		{Protocol: wire.ProtocolSCTP, Addr: netip.MustParseAddrPort("10.0.0.1:3863"), More: []netip.Addr{netip.MustParseAddr("10.1.0.1")}},
		{Protocol: wire.ProtocolTCP, Addr: netip.MustParseAddrPort("10.0.0.1:3863")},
		{Protocol: wire.ProtocolTCP, Addr: netip.MustParseAddrPort("0.0.0.0:3863")}, // nobody could find us there
	}
	want := &wire.ServerAnnounce{Server: serverID, Transports: []wire.Transport{
		{Protocol: wire.ProtocolSCTP, Port: 3863, Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("10.1.0.1")}},
		{Protocol: wire.ProtocolTCP, Port: 3863, Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.1")}},
	}}
	inAir(t, func(t *testing.T, a *air) {
		if m, err := wire.ParseASAP(<-a.said); err != nil || !reflect.DeepEqual(m, want) {
			t.Errorf("said %+v, %v, want %+v", m, err, want)
		}
		for _, step := range []struct {
			name  string
			heard []wire.ServerID
			every time.Duration
		}{
			{"alone", nil, time.Second},
			{"our own", []wire.ServerID{serverID}, time.Second},
			{"another one", []wire.ServerID{7}, 2 * time.Second},
			{"the same again", []wire.ServerID{7}, 2 * time.Second},
			{"two others", []wire.ServerID{7, 8}, 3 * time.Second},
		} {
			for _, id := range step.heard {
				a.say(t, &wire.ServerAnnounce{Server: id})
			}
			synctest.Wait()
			<-a.said // this one was due before they were heard
			began := time.Now()
			<-a.said
			if after := time.Since(began); after != step.every {
				t.Errorf("%s: after %v, want %v", step.name, after, step.every)
			}
		}
		for range 5 { // nobody else is there any more
			<-a.said
		}
		began := time.Now()
		<-a.said
		if after := time.Since(began); after != time.Second {
			t.Errorf("alone again: after %v, want 1 s", after)
		}
	}, func(c *Config) { c.ASAP = listeners })
}

// inAir runs test with a registrar that has nothing but a group.
func inAir(t *testing.T, test func(*testing.T, *air), change ...func(*Config)) {
	keys := newKeyFile(t, "pe-1").load(t)
	synctest.Test(t, func(t *testing.T) {
		a := newAir()
		cfg := testConfig(keys, newObserver(), newGate())
		for _, f := range change {
			f(&cfg)
		}
		r := assemble(cfg, nil, groups{asap: a}, nil, newTally())
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- r.Run(ctx) }()
		defer func() {
			stop()
			if err := <-done; err != nil {
				t.Errorf("Run: %v", err)
			}
		}()
		test(t, a)
	})
}
