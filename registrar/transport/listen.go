// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/weir-lb/weir/registrar/transport/psk"
	"github.com/weir-lb/weir/registrar/wire"
)

// defaultMaxUnauthenticated is for a zero in ListenConfig.
const defaultMaxUnauthenticated = 256

// ListenConfig is what Listen needs: where, and Keys, Certificate or both, or
// Plain alone; or OnPlain alone, for a port where nobody gets a session.
type ListenConfig struct {
	// Protocol is TCP, also if it is zero, or SCTP.
	Protocol wire.Protocol
	// Addr is where to listen; port 0 is the kernel's choice. The unspecified IPv4
	// address is IPv4 only, the unspecified IPv6 address is both.
	Addr netip.AddrPort
	// More are other addresses to listen on, with the same port; SCTP only.
	More []netip.Addr
	// PPID is the payload protocol identifier of SCTP: 11 for ASAP, 12 for ENRP. A
	// message of another ends its session.
	PPID uint32

	// Keys has the key of every peer.
	Keys *psk.Keys
	// Certificate returns this end's own, for peers that prove nothing, or nil. It
	// is asked for each of them, at once from several goroutines.
	Certificate func() *tls.Certificate
	// OldSuite allows TLS_RSA_WITH_AES_128_CBC_SHA too, for a client of RFC 5352
	// that has no better.
	OldSuite bool
	// Plain speaks without TLS: every connection is a session at once.
	Plain bool
	// Identity is this end's own, if it has one: a peer that claims it is refused.
	Identity string
	// OnPlain, if not nil, answers a peer that speaks without TLS where TLS is
	// needed: it gets the peer's first message, and returns what to send before the
	// connection is closed, or nil. It is called from several goroutines at once,
	// and must not block. Without Keys and Certificate nothing else is answered.
	OnPlain func(first []byte) (reply []byte)

	// HandshakeTimeout bounds the time from the kernel's accept to the finished
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

func (cfg *ListenConfig) validate() error {
	tls := cfg.secures()
	switch {
	case !tls && !cfg.Plain && cfg.OnPlain == nil:
		return errors.New("listen: there are no keys and no certificate")
	case cfg.Plain && (tls || cfg.OnPlain != nil):
		return errors.New("listen: without TLS there is no use for keys, certificates and refusals")
	}
	return nil
}

// secures says that there are sessions with TLS.
func (cfg *ListenConfig) secures() bool { return cfg.Keys != nil || cfg.Certificate != nil }

func (cfg *ListenConfig) defaults() {
	cfg.HandshakeTimeout = handshakeTimeout(cfg.HandshakeTimeout)
	if cfg.MaxUnauthenticated <= 0 {
		cfg.MaxUnauthenticated = defaultMaxUnauthenticated
	}
	if cfg.OnRefused == nil {
		cfg.OnRefused = func(Refusal) {}
	}
}

// Listener turns connections into sessions.
type Listener struct {
	cfg      ListenConfig
	socket   acceptor
	places   *places
	sessions chan *Session // finished; when it is full, new ones are refused
	cancel   context.CancelFunc
	closed   chan struct{} // the listener gives no more sessions
	running  sync.WaitGroup
}

// Listen opens the socket and begins with handshakes. When ctx ends the listener
// stops as with Close; Close is still needed to wait for it.
func Listen(ctx context.Context, cfg ListenConfig) (*Listener, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	cfg.defaults()
	socket, err := open(ctx, &cfg)
	if err != nil {
		return nil, err // it names the address already
	}
	l := &Listener{
		cfg:      cfg,
		socket:   socket,
		places:   newPlaces(cfg.MaxUnauthenticated),
		sessions: make(chan *Session, cfg.MaxUnauthenticated),
		closed:   make(chan struct{}),
	}
	ctx, l.cancel = context.WithCancel(ctx)
	l.running.Go(func() { l.serve(ctx) })
	l.running.Go(func() {
		<-ctx.Done()
		_ = l.socket.Close() // ends serve; there is nothing to flush
	})
	return l, nil
}

// Addr is the address that it listens on, with the port that it got.
func (l *Listener) Addr() netip.AddrPort { return l.socket.addrs()[0] }

// Addrs are all of them; over TCP there is one.
func (l *Listener) Addrs() []netip.AddrPort { return l.socket.addrs() }

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
		conn, err := l.socket.accept()
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

func (l *Listener) handshake(ctx context.Context, conn incoming, leave func() bool) {
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
	l.cfg.OnRefused(Refusal{Remote: conn.remote, Reason: reason(err), Err: err})
}
