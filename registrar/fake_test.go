// SPDX-License-Identifier: Apache-2.0

package registrar

import (
	"context"
	"errors"
	"io"
	"net/netip"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-lb/weir/registrar/transport"
	"github.com/weir-lb/weir/registrar/wire"
)

// patience is how long a test waits for what must come; in a bubble it is not real time.
const patience = 20 * time.Second

// link is a session without a socket, for tests in virtual time.
type link struct {
	id     uint64
	name   string
	in     chan []byte // to the registrar, unbuffered: whoever sends waits until it is read
	out    chan []byte // from it, unbuffered: it waits until the test reads
	hangUp chan struct{}
	once   sync.Once
	closed chan struct{} // by the registrar
}

func (l *link) ID() uint64              { return l.id }
func (l *link) Peer() string            { return l.name }
func (l *link) Kind() transport.Kind    { return transport.Proven }
func (l *link) Protocol() wire.Protocol { return wire.ProtocolTCP }
func (l *link) LocalAddrs() []netip.AddrPort {
	return []netip.AddrPort{netip.MustParseAddrPort("10.0.0.254:3864")}
}
func (l *link) RemoteAddrs() []netip.AddrPort {
	return []netip.AddrPort{netip.AddrPortFrom(netip.MustParseAddr("10.0.0.9"), uint16(l.id))}
}

func (l *link) Read(ctx context.Context) ([]byte, error) {
	select {
	case b := <-l.in:
		return b, nil
	case <-l.hangUp:
		return nil, io.EOF
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (l *link) Write(ctx context.Context, b []byte) error {
	select {
	case l.out <- b:
		return nil
	case <-l.hangUp:
		return io.ErrClosedPipe
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (l *link) Close() error {
	l.once.Do(func() { close(l.closed) })
	return nil
}

// send waits until the registrar reads the message.
func (l *link) send(t *testing.T, m wire.Message) {
	t.Helper()
	b, err := wire.AppendASAP(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	l.sendBytes(b)
}

func (l *link) sendBytes(b []byte) {
	select {
	case l.in <- b:
	case <-l.closed:
	}
}

func (l *link) receive(t *testing.T) wire.Message {
	t.Helper()
	select {
	case b := <-l.out:
		m, err := wire.ParseASAP(b)
		if err != nil {
			t.Fatal(err)
		}
		return m
	case <-l.closed:
		t.Fatal("closed, want a message")
	case <-time.After(patience):
		t.Fatal("no message")
	}
	return nil
}

func (l *link) isClosed() bool {
	select {
	case <-l.closed:
		return true
	default:
		return false
	}
}

// fakeListener gives out the links that a test makes.
type fakeListener struct {
	links  chan *link
	conns  chan conn
	broken chan struct{}
}

func (f *fakeListener) Accept(ctx context.Context) (conn, error) {
	select {
	case l := <-f.links:
		return l, nil
	case c := <-f.conns:
		return c, nil
	case <-f.broken:
		return nil, errors.New("out of descriptors")
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (f *fakeListener) Addr() netip.AddrPort { return netip.AddrPort{} }
func (f *fakeListener) Close() error         { return nil }

// bench is a registrar on links, in a bubble with virtual time.
type bench struct {
	*Registrar
	listener *fakeListener
	observer *observer
	gate     *gate
	stop     context.CancelFunc
	done     chan error
	nextID   uint64
}

// inBubble runs test with a registrar, which the test may stop. Its keys know pe-1, pe-2 and pe-3; pe-3 has no grant.
func inBubble(t *testing.T, test func(*testing.T, *bench), change ...func(*Config)) {
	file := newKeyFile(t, "pe-1", "pe-2", "pe-3")
	keys := file.load(t)
	synctest.Test(t, func(t *testing.T) {
		b := &bench{
			listener: &fakeListener{links: make(chan *link), conns: make(chan conn), broken: make(chan struct{})},
			observer: newObserver(), gate: newGate(), done: make(chan error, 1),
		}
		cfg := testConfig(keys, b.observer, b.gate)
		for _, f := range change {
			f(&cfg)
		}
		b.Registrar = assemble(cfg, []listening{{b.listener, speaksASAP}}, groups{}, nil, newTally())
		ctx, stop := context.WithCancel(t.Context())
		b.stop = stop
		go func() { b.done <- b.Run(ctx) }()
		defer func() { // also when the test gives up
			stop()
			if err := <-b.done; err != nil {
				t.Errorf("Run: %v", err)
			}
			if n := b.gate.len(); n != 0 {
				t.Errorf("the gate is open for %d peers after the end", n)
			}
		}()
		test(t, b)
	})
}

func (b *bench) dial(name string) *link {
	b.nextID++
	l := &link{
		id: b.nextID, name: name, in: make(chan []byte), out: make(chan []byte),
		hangUp: make(chan struct{}), closed: make(chan struct{}),
	}
	b.listener.links <- l
	return l
}

// enrol registers an element, and takes the response and the observation.
func (b *bench) enrol(t *testing.T, name string, id wire.PEID) *link {
	t.Helper()
	l := b.dial(name)
	l.send(t, registration("web", id, "10.0.0.1"))
	want := &wire.RegistrationResponse{Pool: "web", PE: id}
	if got := l.receive(t); !reflect.DeepEqual(got, want) {
		t.Fatalf("got %+v, want %+v", got, want)
	}
	<-b.observer.lines
	return l
}
