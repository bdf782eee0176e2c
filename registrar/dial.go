// SPDX-License-Identifier: Apache-2.0

package registrar

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"syscall"
	"time"

	"github.com/weir-lb/weir/registrar/asap"
	"github.com/weir-lb/weir/registrar/enrp"
	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/transport"
	"github.com/weir-lb/weir/registrar/wire"
)

// maxReaching bounds the associations with elements that are being set up at once. Others wait for theirs.
const maxReaching = 64

// dialFunc is transport.Dial.
type dialFunc func(ctx context.Context, cfg transport.DialConfig) (conn, error)

func dialTransport(ctx context.Context, cfg transport.DialConfig) (conn, error) {
	s, err := transport.Dial(ctx, cfg)
	if err != nil {
		return nil, err // not a nil *Session in an interface
	}
	return s, nil
}

// dialled is how an attempt to reach a registrar or an element went.
type dialled struct {
	c      conn
	err    error
	peer   *enrp.Dial      // or
	server wire.ServerID   // whom the session's key belongs to, 0 without one
	key    handlespace.Key // of the element
}

// reaching are the elements that are to be reached.
type reaching struct {
	now   int
	queue []asap.Reach // at most one for each element: the Core asks for no second one before it knows of the first
}

// dialPeer begins to reach another registrar. What came of it is taken by dialled.
func (l *loop) dialPeer(a enrp.Dial) {
	cfg, server, err := l.cfg.dialConfig(a)
	if err != nil {
		l.dialled(dialled{peer: &a, err: err})
		return
	}
	l.try(cfg, dialled{peer: &a, server: server})
}

func (l *loop) try(cfg transport.DialConfig, d dialled) {
	l.tasks.Go(func() {
		d.c, d.err = l.dial(l.serving, cfg)
		select {
		case l.dialledTo <- d:
		case <-l.serving.Done():
			if d.c != nil {
				d.c.Close() // nobody waits for it any more
			}
		}
	})
}

// dialConfig is how to reach another registrar, and whom its key belongs to.
func (c *Config) dialConfig(a enrp.Dial) (transport.DialConfig, wire.ServerID, error) {
	d := target(a.Transport, ppidENRP)
	d.HandshakeTimeout = c.HandshakeTimeout
	i := slices.IndexFunc(c.ENRP, func(l Listener) bool { return l.transport().Protocol == a.Transport.Protocol })
	if i < 0 {
		return d, 0, fmt.Errorf("no ENRP over %v here", a.Transport.Protocol)
	}
	from := c.ENRP[i]
	d.Local = append([]netip.Addr{from.Addr.Addr()}, from.More...)
	if d.Protocol == wire.ProtocolSCTP {
		d.LocalPort = from.Addr.Port() // rsplib knows a peer by its association's address and port
	}
	if c.Unsecured {
		d.Plain = true
		return d, 0, nil
	}
	p := c.peerAt(a)
	if p == nil {
		return d, 0, errors.New("not a registrar that the configuration names")
	}
	d.Keys, d.Identity = c.Keys, p.As
	return d, p.Server, nil
}

// peerAt is the configured peer that is to be dialled.
func (c *Config) peerAt(a enrp.Dial) *Peer {
	i := slices.IndexFunc(c.Peers, func(p Peer) bool {
		t := p.transport()
		return t.Protocol == a.Transport.Protocol && t.Port == a.Transport.Port &&
			slices.Equal(t.Addrs, a.Transport.Addrs) && (a.Server == 0 || a.Server == p.Server)
	})
	if i < 0 {
		return nil
	}
	return &c.Peers[i]
}

func target(t wire.Transport, ppid uint32) transport.DialConfig {
	d := transport.DialConfig{Protocol: t.Protocol, PPID: ppid}
	if len(t.Addrs) > 0 {
		d.Remote, d.More = netip.AddrPortFrom(t.Addrs[0], t.Port), t.Addrs[1:]
	}
	return d
}

// reach begins to set up an association with an element, or lets it wait for its turn. An element waits for its registrar
// without TLS: RFC 5354 3.10 has no way to say that there is some.
func (l *loop) reach(a asap.Reach) {
	if l.reaching.now >= maxReaching {
		l.reaching.queue = append(l.reaching.queue, a)
		return
	}
	l.reaching.now++
	d := target(a.Transport, ppidASAP)
	d.Plain, d.HandshakeTimeout = true, l.cfg.HandshakeTimeout
	l.try(d, dialled{key: a.Key})
}

// dialled takes in how an attempt went.
func (l *loop) dialled(d dialled) {
	if d.peer == nil {
		l.reached(d)
		return
	}
	now := time.Now()
	if d.err != nil {
		l.tally.dial(false)
		level := slog.LevelInfo
		if d.peer.Again { // every two seconds, as long as it is gone
			level = slog.LevelDebug
		}
		l.journal.write(level, "peers", "a registrar is not reached", "server", d.peer.Server,
			"transport", shownTransport(d.peer.Transport), "error", d.err)
		l.toENRP(func() []enrp.Action { return l.enrp.DialFailed(now, d.peer.ID) })
		return
	}
	l.tally.dial(true)
	if s := l.begin(d.c, speaksENRP, d.server); s != nil {
		l.toENRP(func() []enrp.Action { return l.enrp.Connected(now, s.from(), d.peer.ID) })
	} else {
		l.toENRP(func() []enrp.Action { return l.enrp.DialFailed(now, d.peer.ID) })
	}
}

// reached takes in how an attempt to reach an element went, and begins the next one. A kernel without SCTP says nothing
// about the element.
func (l *loop) reached(d dialled) {
	l.reaching.now--
	if n := len(l.reaching.queue); n > 0 {
		next := l.reaching.queue[0]
		l.reaching.queue = l.reaching.queue[1:]
		l.reach(next)
	}
	now := time.Now()
	if d.err != nil {
		l.cfg.Log.Debug("an element is not reached", "pool", shown(d.key.Pool), "pe", d.key.PE, "error", d.err)
		if !errors.Is(d.err, syscall.EPROTONOSUPPORT) && !errors.Is(d.err, syscall.ESOCKTNOSUPPORT) {
			l.apply(l.asap.Unreached(now, d.key))
		}
		return
	}
	if s := l.begin(d.c, speaksASAP, 0); s != nil {
		l.apply(l.asap.Reached(now, d.key, s.identity))
	} else {
		l.apply(l.asap.Unreached(now, d.key))
	}
}

// shownTransport is a transport for the log.
func shownTransport(t wire.Transport) string {
	at := target(t, 0).Remote
	return t.Protocol.String() + "://" + at.String()
}
