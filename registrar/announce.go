// SPDX-License-Identifier: Apache-2.0

package registrar

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/weir-lb/weir/registrar/enrp"
	"github.com/weir-lb/weir/registrar/multicast"
	"github.com/weir-lb/weir/registrar/wire"
)

const (
	// hintsLen is how many datagrams may wait for the loop. When it is full, more are dropped: they come again.
	hintsLen = 64
	// maxHeard bounds the registrars that we have heard announce themselves. Anybody can be as many of them as he likes, and
	// each makes us announce ourselves less often: by this, every minute at least.
	maxHeard = 64
	// missed is how many announcements in a row a registrar may miss before it counts no longer.
	missed = 3
)

// group is *multicast.Group.
type group interface {
	Send(b []byte) error
	Receive() (b []byte, from netip.AddrPort, err error)
	Close() error
}

// groups are the multicast groups that we are a member of; nil is one that we are not.
type groups struct{ asap, enrp group }

func joinGroups(cfg *Config) (groups, error) {
	var g groups
	if cfg.Announce.Interface == "" {
		return g, nil
	}
	join := func(at, source netip.AddrPort) (group, error) {
		if !at.IsValid() {
			return nil, nil
		}
		if source.Addr().IsUnspecified() || source.Addr().Is4() != at.Addr().Is4() {
			source = netip.AddrPort{}
		}
		m, err := multicast.Join(multicast.Config{
			Group: at, Interface: cfg.Announce.Interface, Source: source, HopLimit: cfg.Announce.HopLimit,
		})
		if err != nil {
			return nil, fmt.Errorf("announce: %w", err) // not a nil *Group in an interface
		}
		return m, nil
	}
	var err error
	if g.asap, err = join(cfg.Announce.ASAP, announcer(cfg.ASAP)); err != nil || len(cfg.ENRP) == 0 {
		return g, err
	}
	if g.enrp, err = join(cfg.Announce.ENRP, announcer(cfg.ENRP)); err != nil {
		err = errors.Join(err, g.Close())
	}
	return g, err
}

// announcer is where announcements come from: where we listen over SCTP, if we do. rsplib takes a datagram's source
// address and port for those of the registrar.
func announcer(listeners []Listener) netip.AddrPort {
	for _, l := range listeners {
		if l.Protocol == wire.ProtocolSCTP {
			return l.Addr
		}
	}
	return listeners[0].Addr
}

// Close leaves the groups, and ends those who listen to them.
func (g groups) Close() error {
	var errs []error
	for _, one := range []group{g.asap, g.enrp} {
		if one != nil {
			errs = append(errs, one.Close())
		}
	}
	return errors.Join(errs...)
}

// hint is what somebody said to a group.
type hint struct {
	from     netip.AddrPort
	announce *wire.ServerAnnounce // or
	presence *wire.Presence
}

// listen passes on what is said in the groups, until they are closed.
func (g groups) listen(ctx context.Context, l *loop) {
	if g.asap != nil {
		l.tasks.Go(func() { l.overhear(ctx, g.asap, speaksASAP) })
	}
	if g.enrp != nil {
		l.tasks.Go(func() { l.overhear(ctx, g.enrp, speaksENRP) })
	}
}

func (l *loop) overhear(ctx context.Context, g group, speaks language) {
	for {
		b, from, err := g.Receive()
		switch {
		case ctx.Err() != nil || errors.Is(err, net.ErrClosed):
			return
		case err != nil: // as when the interface is down: it will be up again
			select {
			case <-time.After(time.Second):
			case <-ctx.Done():
			}
			continue
		}
		h, ok := parseHint(b, speaks)
		l.tally.hint(ok)
		if h.from = from; ok {
			select {
			case l.hints <- h:
			default:
			}
		}
	}
}

// parseHint takes nothing but announcements and presences. What else comes is dropped, and never answered: the source of
// a datagram proves nothing.
func parseHint(b []byte, speaks language) (h hint, ok bool) {
	if speaks == speaksASAP {
		m, _ := wire.ParseASAP(b)
		h.announce, ok = m.(*wire.ServerAnnounce)
		return h, ok
	}
	m, _ := wire.ParseENRP(b)
	h.presence, ok = m.(*wire.Presence)
	return h, ok
}

// announcements are those of ASAP (RFC 5352 3.6): every (N+1) times T6-Serverannounce, with N other registrars heard.
type announcements struct {
	cycle time.Duration
	next  time.Time // zero: none
	heard map[wire.ServerID]time.Time
}

// interval is the time until the next one.
func (a *announcements) interval() time.Duration { return time.Duration(len(a.heard)+1) * a.cycle }

// hear notes another registrar.
func (a *announcements) hear(now time.Time, server wire.ServerID) {
	if _, known := a.heard[server]; known || len(a.heard) < maxHeard {
		a.heard[server] = now
	}
}

// forget drops those that have not been heard for a while.
func (a *announcements) forget(now time.Time) {
	silence := missed * a.interval()
	for server, heard := range a.heard {
		if now.Sub(heard) > silence {
			delete(a.heard, server)
		}
	}
}

// announce says where we speak ASAP, when it is time.
func (l *loop) announce(now time.Time) {
	a := &l.announcements
	if a.next.IsZero() || a.next.After(now) {
		return
	}
	a.forget(now)
	a.next = now.Add(a.interval())
	b, err := wire.AppendASAP(nil, &wire.ServerAnnounce{Server: l.cfg.ServerID, Transports: announced(l.cfg.ASAP)})
	l.multicast(l.groups.asap, b, err)
}

func (l *loop) multicast(g group, b []byte, err error) {
	if err == nil && g != nil {
		err = g.Send(b)
	}
	l.tally.announce(err)
	if err != nil {
		l.journal.write(slog.LevelWarn, "multicast", "an announcement was not sent", "error", err)
	}
}

// announcePresence says that we are there (RFC 5353 3.4.2).
func (l *loop) announcePresence(m wire.ENRPMessage) {
	b, err := wire.AppendENRP(nil, m)
	l.multicast(l.groups.enrp, b, err)
}

// hinted takes in what was said in a group. Our own words come back: a group includes its senders.
func (l *loop) hinted(now time.Time, h hint) {
	switch {
	case h.announce != nil && h.announce.Server != l.cfg.ServerID:
		l.announcements.hear(now, h.announce.Server)
	case h.presence != nil && h.presence.Sender != l.cfg.ServerID:
		l.toENRP(func() []enrp.Action { return l.enrp.Hint(now, h.from, h.presence) })
	}
}
