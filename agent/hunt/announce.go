// SPDX-License-Identifier: Apache-2.0

package hunt

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/weir-lb/weir/registrar/multicast"
	"github.com/weir-lb/weir/registrar/wire"
)

const (
	// t7ENRPoutdate is how long an announcement is valid (RFC 5352 7.1).
	t7ENRPoutdate = 5 * time.Second
	// maxHints bounds the list. When it is full, new endpoints are not taken:
	// a flood of forged announcements (RFC 5352 9.2) must not drive out those
	// that are known, and those expire by themselves.
	maxHints = 32
	// maxHintAddrs bounds the addresses of one endpoint.
	maxHintAddrs = 8
	// deaf is the pause after a fault of the socket: one that lasts must not
	// take a processor, and an announcement comes again within seconds.
	deaf = time.Second
)

// Group is IANA's multicast group and port of the announcements (RFC 5352 8.4).
// rsplib's own is 239.0.0.50:3863.
func Group() netip.AddrPort { return netip.MustParseAddrPort("224.0.1.185:3863") }

// source is where datagrams come from: a *multicast.Group.
type source interface {
	Receive() (b []byte, from netip.AddrPort, err error)
	Close() error
}

// Announcements are the registrars that announced themselves lately.
type Announcements struct {
	source  source
	port    uint16 // of a registrar that announces no transport
	log     *slog.Logger
	news    chan struct{} // there is a new endpoint; of several signals one is kept
	closed  chan struct{}
	reading sync.WaitGroup

	mu    sync.Mutex
	hints map[netip.AddrPort]hint // by the first address
}

type hint struct {
	target Target
	until  time.Time
}

// Listen joins a multicast group until Close, on the named interface, or on the
// first that is up and can if none is named. port is the one of a registrar that
// announces no transport of its own (RFC 5352 3.6): 3863, or 3864 where TLS is
// spoken. log hears of faults; nil: nobody does.
func Listen(group netip.AddrPort, on string, port uint16, log *slog.Logger) (*Announcements, error) {
	if on == "" {
		all, err := net.Interfaces()
		if err == nil {
			on, err = receiving(all)
		}
		if err != nil {
			return nil, fmt.Errorf("listen for announcements: %w", err)
		}
	}
	g, err := multicast.Join(multicast.Config{Group: group, Interface: on})
	if err != nil {
		return nil, fmt.Errorf("listen for announcements: %w", err)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return hear(g, port, log), nil
}

// receiving is the first interface by which others' multicast can come.
func receiving(all []net.Interface) (string, error) {
	const need = net.FlagUp | net.FlagMulticast
	for _, i := range all {
		if i.Flags&need == need && i.Flags&net.FlagLoopback == 0 {
			return i.Name, nil
		}
	}
	return "", errors.New("no interface is up and can receive multicast")
}

func hear(source source, port uint16, log *slog.Logger) *Announcements {
	a := &Announcements{
		source: source, port: port, log: log,
		news: make(chan struct{}, 1), closed: make(chan struct{}), hints: map[netip.AddrPort]hint{},
	}
	a.reading.Go(a.read)
	return a
}

// Close leaves the group. It is called once.
func (a *Announcements) Close() error {
	close(a.closed)
	err := a.source.Close()
	a.reading.Wait()
	return err
}

// read goes on after a fault, as when the interface is down: it will be up
// again. The first of several in a row is logged.
func (a *Announcements) read() {
	faulty := false
	for {
		b, from, err := a.source.Receive()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			if !faulty {
				a.log.Warn("announcements are not heard", "error", err)
			}
			select {
			case <-time.After(deaf):
			case <-a.closed:
				return
			}
		default:
			a.parse(b, from.Addr())
		}
		faulty = err != nil
	}
}

// parse reports nothing to whom a datagram is from: it may be forged.
func (a *Announcements) parse(b []byte, from netip.Addr) {
	message, _ := wire.ParseASAP(b)
	if m, is := message.(*wire.ServerAnnounce); is {
		a.heard(m, from, time.Now())
	}
}

// heard restarts T7 for what is known, and takes in what is new (RFC 5352 3.6).
func (a *Announcements) heard(m *wire.ServerAnnounce, from netip.Addr, now time.Time) {
	transports := m.Transports
	if len(transports) == 0 {
		transports = []wire.Transport{{Protocol: wire.ProtocolSCTP, Port: a.port, Addrs: []netip.Addr{from}}}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for at, h := range a.hints {
		if now.After(h.until) {
			delete(a.hints, at)
		}
	}
	for _, t := range transports {
		a.take(t, now)
	}
}

func (a *Announcements) take(t wire.Transport, now time.Time) {
	target := Target{Protocol: t.Protocol, Remote: netip.AddrPortFrom(t.Addrs[0].Unmap(), t.Port)}
	for _, addr := range t.Addrs[1:min(len(t.Addrs), maxHintAddrs)] {
		target.More = append(target.More, addr.Unmap())
	}
	_, known := a.hints[target.Remote]
	if !usable(target.Remote) || (!known && len(a.hints) == maxHints) {
		return
	}
	a.hints[target.Remote] = hint{target, now.Add(t7ENRPoutdate)}
	if !known {
		select {
		case a.news <- struct{}{}:
		default: // a signal is pending
		}
	}
}

func usable(at netip.AddrPort) bool {
	return at.Port() != 0 && !at.Addr().IsUnspecified() && !at.Addr().IsMulticast()
}

// targets are those that are valid now, and speak p.
func (a *Announcements) targets(p wire.Protocol) []Target {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []Target
	for _, h := range a.hints {
		if h.target.Protocol == p && !time.Now().After(h.until) {
			all = append(all, h.target)
		}
	}
	return all
}
