// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/weir-lb/weir/registrar/transport/psk"
)

// defaultMaxUnauthenticated is for a zero in ListenConfig.
const defaultMaxUnauthenticated = 256

// ListenConfig is what Listen needs.
type ListenConfig struct {
	// Addr is where to listen; port 0 is the kernel's choice. The unspecified IPv4
	// address is IPv4 only, the unspecified IPv6 address is both.
	Addr netip.AddrPort
	// Keys has the key of every peer.
	Keys *psk.Keys
	// Identity is this end's own, if it has one: a peer that claims it is refused.
	Identity string
	// HandshakeTimeout bounds the time from TCP's accept to the finished
	// handshake; zero is 5 s.
	HandshakeTimeout time.Duration
	// MaxUnauthenticated bounds the connections in a handshake; beyond it the
	// oldest gives way. It also bounds the finished sessions that wait for
	// Accept; beyond it they are closed. Zero is 256.
	MaxUnauthenticated int
	// OnRefused, if not nil, hears of every refusal, from several goroutines at
	// once. It must not block.
	OnRefused func(Refusal)
}

// Listener turns connections into sessions.
type Listener struct {
	cfg      ListenConfig
	tcp      *net.TCPListener
	places   *places
	sessions chan *Session // finished; when it is full, new ones are refused
	cancel   context.CancelFunc
	closed   chan struct{} // the listener gives no more sessions
	running  sync.WaitGroup
}

// Listen opens the socket and begins with handshakes. When ctx ends the listener
// stops as with Close; Close is still needed to wait for it.
func Listen(ctx context.Context, cfg ListenConfig) (*Listener, error) {
	if cfg.Keys == nil {
		return nil, errors.New("listen: there are no keys")
	}
	cfg.HandshakeTimeout = handshakeTimeout(cfg.HandshakeTimeout)
	if cfg.MaxUnauthenticated <= 0 {
		cfg.MaxUnauthenticated = defaultMaxUnauthenticated
	}
	if cfg.OnRefused == nil {
		cfg.OnRefused = func(Refusal) {}
	}
	tcp, err := listenTCP(ctx, cfg.Addr)
	if err != nil {
		return nil, err // it names the address already
	}
	l := &Listener{
		cfg:      cfg,
		tcp:      tcp,
		places:   newPlaces(cfg.MaxUnauthenticated),
		sessions: make(chan *Session, cfg.MaxUnauthenticated),
		closed:   make(chan struct{}),
	}
	ctx, l.cancel = context.WithCancel(ctx)
	l.running.Go(func() { l.serve(ctx) })
	l.running.Go(func() {
		<-ctx.Done()
		_ = l.tcp.Close() // ends serve; there is nothing to flush
	})
	return l, nil
}

func listenTCP(ctx context.Context, addr netip.AddrPort) (*net.TCPListener, error) {
	network := "tcp"
	if addr.Addr().Is4() {
		network = "tcp4" // "tcp" would make 0.0.0.0 a socket for IPv6 too
	}
	config := net.ListenConfig{KeepAliveConfig: keepAlive()}
	config.SetMultipathTCP(false)
	l, err := config.Listen(ctx, network, addr.String())
	if err != nil {
		return nil, err
	}
	return l.(*net.TCPListener), nil // what these networks listen with
}

// Addr is the address that it listens on, with the port that it got.
func (l *Listener) Addr() netip.AddrPort { return addrPort(l.tcp.Addr()) }

// Accept returns the next finished session, ctx's error, or net.ErrClosed.
func (l *Listener) Accept(ctx context.Context) (*Session, error) {
	select {
	case <-l.closed:
		return nil, net.ErrClosed
	default:
	}
	select {
	case s := <-l.sessions:
		return s, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close closes the socket, the connections in a handshake, and the sessions
// that nobody accepted, and waits for them. Accepted sessions are left alone.
func (l *Listener) Close() error {
	l.cancel()
	l.running.Wait()
	return nil
}

// serve ends when ctx does and with it the socket, and after all that it began.
func (l *Listener) serve(ctx context.Context) {
	var handshakes sync.WaitGroup
	l.acceptLoop(ctx, &handshakes)
	handshakes.Wait()
	close(l.closed)
	for {
		select {
		case s := <-l.sessions:
			_ = s.Close()
		default:
			return
		}
	}
}

func (l *Listener) acceptLoop(ctx context.Context, handshakes *sync.WaitGroup) {
	for {
		conn, err := l.tcp.AcceptTCP()
		switch {
		case err == nil:
			ctx, evict := context.WithCancelCause(ctx)
			leave := l.places.take(evict)
			handshakes.Go(func() {
				defer evict(nil)
				l.handshake(ctx, conn, leave)
			})
		case ctx.Err() != nil:
			return
		default:
			l.cfg.OnRefused(Refusal{Reason: ReasonAccept, Err: fmt.Errorf("accept: %w", err)})
			pause(ctx)
		}
	}
}

// pause keeps a system without descriptors from being asked in a busy loop.
func pause(ctx context.Context) {
	select {
	case <-time.After(100 * time.Millisecond):
	case <-ctx.Done():
	}
}

func (l *Listener) handshake(ctx context.Context, conn *net.TCPConn, leave func() bool) {
	s, err := l.authenticate(ctx, conn)
	held := leave()
	switch {
	case err != nil:
	case !held:
		err = errTooMany
	default:
		select {
		case l.sessions <- s:
			return
		default:
			err = errBacklog
		}
	}
	if s != nil {
		_ = s.Close()
	}
	if ctx.Err() != nil && !errors.Is(context.Cause(ctx), errTooMany) {
		return // the listener is closing: that is no fault of the peer's
	}
	l.cfg.OnRefused(Refusal{Remote: addrPort(conn.RemoteAddr()), Reason: reason(err), Err: err})
}

func (l *Listener) authenticate(ctx context.Context, conn *net.TCPConn) (*Session, error) {
	ctx, cancel := context.WithTimeout(ctx, l.cfg.HandshakeTimeout)
	defer cancel()
	tls := psk.Server(conn, psk.Config{Keys: l.cfg.Keys, Identity: l.cfg.Identity})
	err := tune(conn)
	if err == nil {
		err = tls.HandshakeContext(ctx)
	}
	if err != nil {
		_ = tls.Close() // the handshake's error is what counts
		return nil, err
	}
	return newSession(tls), nil
}
