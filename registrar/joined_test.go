// SPDX-License-Identifier: Apache-2.0

package registrar

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-lb/weir/registrar/enrp"
	"github.com/weir-lb/weir/registrar/transport"
	"github.com/weir-lb/weir/registrar/wire"
)

// town is registrars in memory, in a bubble with virtual time: each at 10.0.0.<i+1>, without TLS, and one multicast group
// for both protocols.
type town struct {
	t       *testing.T
	mu      sync.Mutex
	members map[netip.Addr]*citizen
	ears    map[*ear]bool
	ids     uint64
	heard   chan *wire.ServerAnnounce // what the group is told, if anybody listens
}

// citizen is a registrar of a town.
type citizen struct {
	*Registrar
	asap, enrp *fakeDoor
	stop       context.CancelFunc
	done       chan error
}

// fakeDoor is a listener that takes conns.
type fakeDoor struct {
	at    netip.AddrPort
	conns chan conn
}

func (f *fakeDoor) Accept(ctx context.Context) (conn, error) {
	select {
	case c := <-f.conns:
		return c, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (f *fakeDoor) Addr() netip.AddrPort { return f.at }
func (f *fakeDoor) Close() error         { return nil }

// half is one end of a session between two registrars, or of one with an element.
type half struct {
	id            uint64
	kind          transport.Kind
	local, remote netip.AddrPort
	in            chan []byte
	out           *half
	once          sync.Once
	over          chan struct{}
}

func (h *half) ID() uint64                    { return h.id }
func (h *half) Peer() string                  { return "" }
func (h *half) Kind() transport.Kind          { return h.kind }
func (h *half) Protocol() wire.Protocol       { return wire.ProtocolTCP }
func (h *half) LocalAddrs() []netip.AddrPort  { return []netip.AddrPort{h.local} }
func (h *half) RemoteAddrs() []netip.AddrPort { return []netip.AddrPort{h.remote} }

func (h *half) Read(ctx context.Context) ([]byte, error) {
	select {
	case b := <-h.in:
		return b, nil
	case <-h.out.over:
		return nil, io.EOF
	case <-h.over:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (h *half) Write(ctx context.Context, b []byte) error {
	select {
	case h.out.in <- slices.Clone(b):
		return nil
	case <-h.out.over:
		return io.ErrClosedPipe
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (h *half) Close() error {
	h.once.Do(func() { close(h.over) })
	return nil
}

// pipe is a new session's two ends.
func (w *town) pipe(from, to netip.AddrPort, kind transport.Kind) (near, far *half) {
	w.mu.Lock()
	defer w.mu.Unlock()
	end := func(local, remote netip.AddrPort) *half {
		w.ids++
		return &half{id: w.ids, kind: kind, local: local, remote: remote, in: make(chan []byte, 64), over: make(chan struct{})}
	}
	near, far = end(from, to), end(to, from)
	near.out, far.out = far, near
	return near, far
}

// ear is one member of the group.
type ear struct {
	town *town
	at   netip.AddrPort
	in   chan []byte
	from chan netip.AddrPort
	once sync.Once
	over chan struct{}
}

func (e *ear) Send(b []byte) error {
	e.town.mu.Lock()
	defer e.town.mu.Unlock()
	if m, err := wire.ParseASAP(b); err == nil && m.Type() == wire.TypeServerAnnounce && e.town.heard != nil {
		e.town.heard <- m.(*wire.ServerAnnounce)
	}
	for other := range e.town.ears {
		if other.at.Port() == e.at.Port() {
			select {
			case other.in <- slices.Clone(b):
				other.from <- e.at
			default:
			}
		}
	}
	return nil
}

func (e *ear) Receive() ([]byte, netip.AddrPort, error) {
	select {
	case b := <-e.in:
		return b, <-e.from, nil
	case <-e.over:
		return nil, netip.AddrPort{}, net.ErrClosed
	}
}

func (e *ear) Close() error {
	e.once.Do(func() {
		e.town.mu.Lock()
		defer e.town.mu.Unlock()
		delete(e.town.ears, e)
		close(e.over)
	})
	return nil
}

func (w *town) ear(at netip.AddrPort) *ear {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := &ear{town: w, at: at, in: make(chan []byte, 64), from: make(chan netip.AddrPort, 64), over: make(chan struct{})}
	w.ears[e] = true
	return e
}

// inTown runs a test with no registrar yet.
func inTown(t *testing.T, test func(*testing.T, *town)) {
	synctest.Test(t, func(t *testing.T) {
		w := &town{t: t, members: map[netip.Addr]*citizen{}, ears: map[*ear]bool{}}
		defer func() {
			for _, c := range w.members {
				w.end(c)
			}
		}()
		test(t, w)
	})
}

func cityAt(i int, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}), port)
}

// start runs registrar i, which is told of the peers, and announces itself if multicast.
func (w *town) start(i int, multicast bool, peers ...int) *citizen {
	cfg := testConfig(nil, newObserver(), newGate())
	cfg.Unsecured, cfg.Grants, cfg.ServerID = true, nil, wire.ServerID(i+1)
	cfg.ASAP, cfg.ENRP = []Listener{{Addr: cityAt(i, 3863)}}, []Listener{{Addr: cityAt(i, 9901)}}
	cfg.KeepAlive.Interval = time.Hour
	for _, j := range peers {
		cfg.Peers = append(cfg.Peers, Peer{Addr: cityAt(j, 9901)})
	}
	c := &citizen{
		asap: &fakeDoor{cityAt(i, 3863), make(chan conn)}, enrp: &fakeDoor{cityAt(i, 9901), make(chan conn)},
		done: make(chan error, 1),
	}
	var g groups
	if multicast {
		g = groups{w.ear(cityAt(i, 3863)), w.ear(cityAt(i, 9901))}
	}
	c.Registrar = assemble(cfg, []listening{{c.asap, speaksASAP}, {c.enrp, speaksENRP}}, g, w.dialFrom(i), newTally())
	w.mu.Lock()
	w.members[cityAt(i, 0).Addr()] = c
	w.mu.Unlock()
	var ctx context.Context
	ctx, c.stop = context.WithCancel(w.t.Context())
	go func() { c.done <- c.Run(ctx) }()
	synctest.Wait()
	return c
}

func (w *town) end(c *citizen) {
	w.mu.Lock()
	for at, m := range w.members {
		if m == c {
			delete(w.members, at)
		}
	}
	w.mu.Unlock()
	c.stop()
	if err := <-c.done; err != nil {
		w.t.Error(err)
	}
}

// dialFrom reaches the registrars of the town, and nobody else.
func (w *town) dialFrom(i int) dialFunc {
	return func(ctx context.Context, cfg transport.DialConfig) (conn, error) {
		w.mu.Lock()
		c := w.members[cfg.Remote.Addr()]
		w.mu.Unlock()
		if c == nil || cfg.Remote.Port() != 9901 {
			return nil, errors.New("nobody is there")
		}
		near, far := w.pipe(cityAt(i, 40000), cfg.Remote, transport.Plain)
		select {
		case c.enrp.conns <- far:
			return near, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// dial is an element's end of a session with a registrar.
func (w *town) dial(c *citizen, from string, kind transport.Kind) *half {
	near, far := w.pipe(netip.MustParseAddrPort(from), c.asap.at, kind)
	c.asap.conns <- far
	return near
}

// ask sends a request; there is an answer in virtual time, or none.
func (h *half) ask(t *testing.T, m wire.Message) wire.Message {
	t.Helper()
	b, err := wire.AppendASAP(nil, m)
	if err == nil {
		err = h.Write(t.Context(), b)
	}
	if err == nil {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		b, err = h.Read(ctx)
	}
	if err != nil {
		t.Fatal(err)
	}
	answer, err := wire.ParseASAP(b)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

func (w *town) view(c *citizen) View {
	v, err := c.View(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return v
}

func (w *town) wantHomes(c *citizen, want elementHomes) {
	w.t.Helper()
	if got := homes(w.view(c)); !reflect.DeepEqual(got, want) {
		w.t.Fatalf("registrar %v has elements with the homes %v, want %v", c.cfg.ServerID, got, want)
	}
}

// enrol registers an element from its own address.
func (w *town) enrol(c *citizen, id wire.PEID) *half {
	w.t.Helper()
	at := fmt.Sprintf("10.0.9.%d", id)
	h := w.dial(c, at+":5000", transport.Plain)
	if r, ok := h.ask(w.t, registration("web", id, at)).(*wire.RegistrationResponse); !ok || r.Reject {
		w.t.Fatalf("registration: %+v", r)
	}
	return h
}

// A registrar that is told of one learns of all by its list, and they of it (RFC 5353 3.2.2.2, 3.4.1).
func TestThreeRegistrarsByOneMentor(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		first := w.start(0, false)
		w.enrol(first, 1)
		all := []*citizen{first, w.start(1, false, 0), w.start(2, false, 0)}
		time.Sleep(time.Minute)
		for _, c := range all {
			w.wantHomes(c, elementHomes{1: 1})
			if n := c.Stats().Peers.ByState["active"]; n != 2 {
				t.Errorf("registrar %v has %d active peers, want 2", c.cfg.ServerID, n)
			}
		}
		w.enrol(all[2], 2)
		synctest.Wait()
		for _, c := range all {
			w.wantHomes(c, elementHomes{1: 1, 2: 3})
		}
		w.end(all[2]) // MAX-TIME-NO-RESPONSE after the end of its sessions somebody takes over
		time.Sleep(30 * time.Second)
		home := homes(w.view(first))[2]
		if home != 1 && home != 2 {
			t.Errorf("the home of an element of the dead is %v", home)
		}
		w.wantHomes(all[1], elementHomes{1: 1, 2: home})
	})
}

// RFC 5353 3.2.3: service begins when the handlespace is there. Until then nobody is told that a pool does not exist.
func TestNothingIsServedBeforeTheMentorIsKnown(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		began := time.Now()
		alone := w.start(0, false, 1) // nobody is there
		h := w.dial(alone, "10.0.9.1:5000", transport.Plain)
		if v := w.view(alone); v.Synchronised {
			t.Error("synchronised with nobody")
		}
		h.ask(t, &wire.HandleResolution{Pool: "web"})
		if waited := time.Since(began); waited != 5*time.Second {
			t.Errorf("served after %v, want the 5 s that a mentor is looked for", waited)
		}
		if v := w.view(alone); !v.Synchronised {
			t.Error("not synchronised")
		}
	})
}

// RFC 5352 3.6: every (N+1)*T6-Serverannounce, one in T6-Serverannounce of all together.
func TestServerAnnounce(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		all := []*citizen{w.start(0, true), w.start(1, true), w.start(2, true)}
		time.Sleep(time.Minute)
		for _, c := range all {
			if n := c.Stats().Peers.ByState["active"]; n != 2 {
				t.Errorf("registrar %v found %d peers by multicast, want 2", c.cfg.ServerID, n)
			}
		}
		w.mu.Lock()
		w.heard = make(chan *wire.ServerAnnounce, 1000)
		w.mu.Unlock()
		time.Sleep(30 * time.Second)
		if n := len(w.heard); n < 27 || n > 33 { // each begins a cycle of 3 s somewhere
			t.Errorf("%d announcements of three in 30 s, want 30", n)
		}
		want := &wire.ServerAnnounce{Server: 1, Transports: []wire.Transport{
			{Protocol: wire.ProtocolTCP, Port: 3863, Addrs: []netip.Addr{cityAt(0, 0).Addr()}},
		}}
		for m := range w.heard {
			if m.Server == 1 {
				if !reflect.DeepEqual(m, want) {
					t.Errorf("announced %+v, want %+v", m, want)
				}
				break
			}
		}
		w.end(all[1])
		w.end(all[2])
		time.Sleep(30 * time.Second)
		for len(w.heard) > 0 {
			<-w.heard
		}
		time.Sleep(30 * time.Second)
		if n := len(w.heard); n < 29 || n > 31 {
			t.Errorf("%d announcements of the one that is left in 30 s, want 30", n)
		}
	})
}

// What is no announcement of a registrar is not answered, and changes nothing.
func TestNoiseInTheGroup(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		c := w.start(0, true)
		stranger := w.ear(netip.MustParseAddrPort("10.0.7.7:3863"))
		resolution, err := wire.AppendASAP(nil, &wire.HandleResolution{Pool: "web"})
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range [][]byte{resolution, {1, 2, 3}, {}} {
			if err := stranger.Send(b); err != nil {
				t.Fatal(err)
			}
		}
		for i := range maxHeard + 10 {
			b, err := wire.AppendASAP(nil, &wire.ServerAnnounce{Server: wire.ServerID(i + 100)})
			if err != nil {
				t.Fatal(err)
			}
			if err := stranger.Send(b); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
		}
		before := c.Stats().Peers.Announcements
		time.Sleep(10 * time.Minute)
		if n := c.Stats().Peers.Announcements - before; n < 300 {
			t.Errorf("%d announcements in the ten minutes after a flood of others: it is still heard", n)
		}
		if n := c.Stats().Peers; n.Noise != 3 || n.ByState["candidate"]+n.ByState["active"] != 0 {
			t.Errorf("%+v", n)
		}
		if err := stranger.Close(); err != nil {
			t.Fatal(err)
		}
	})
}

// A takeover of an element that can be reached: nobody answers there, and it has its grace to come by itself.
func TestUnreachedElementKeepsItsGrace(t *testing.T) {
	inTown(t, func(t *testing.T, w *town) {
		one, two := w.start(0, false, 1), w.start(1, false, 0)
		time.Sleep(10 * time.Second)
		w.enrol(two, 1)
		synctest.Wait()
		w.end(two)
		time.Sleep(30 * time.Second)
		w.wantHomes(one, elementHomes{1: 1})
		if n := one.Stats(); n.Peers.Takeovers["completed"] != 1 || n.TakenOver != 1 {
			t.Errorf("%+v", n.Peers)
		}
		time.Sleep(time.Minute)
		w.wantHomes(one, elementHomes{})
		if s := w.view(one).Peers; len(s) > 0 && s[0].State == enrp.Active {
			t.Errorf("%+v", s)
		}
	})
}
