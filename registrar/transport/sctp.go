// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/weir-lb/weir/registrar/transport/sctp"
	"github.com/weir-lb/weir/registrar/wire"
)

// recordPPID is the payload protocol identifier of TLS over SCTP: none, since a
// record of TLS is no message of ASAP or ENRP, and RFC 3436 names none.
const recordPPID = 0

// ErrAssociated says that Dial found an association between its port and the
// other end's: that one has dialed, and Accept has it.
var ErrAssociated = sctp.ErrAssociated

var errNoPPID = errors.New("SCTP needs a payload protocol identifier")

type sctpAcceptor struct {
	listener *sctp.Listener
	ppid     uint32
}

func listenSCTP(cfg *ListenConfig) (acceptor, error) {
	l, err := startSCTP(cfg)
	if err != nil {
		return nil, fmt.Errorf("listen at %v over sctp: %w", cfg.Addr, err)
	}
	return sctpAcceptor{l, cfg.PPID}, nil
}

func startSCTP(cfg *ListenConfig) (*sctp.Listener, error) {
	var ppids []uint32
	if cfg.secures() {
		ppids = append(ppids, recordPPID)
	}
	if cfg.Plain || cfg.OnPlain != nil {
		ppids = append(ppids, cfg.PPID)
	}
	if cfg.PPID == 0 {
		return nil, errNoPPID
	}
	return sctp.Listen(slices.Concat([]netip.Addr{cfg.Addr.Addr()}, cfg.More), cfg.Addr.Port(), ppids)
}

func (a sctpAcceptor) accept() (incoming, error) {
	in, err := a.listener.Accept()
	if err != nil {
		return incoming{}, err
	}
	return incoming{in.Remote, func() (*socket, error) {
		conn, err := in.Conn()
		if err != nil {
			return nil, err
		}
		return sctpSocket(conn, a.ppid), nil
	}}, nil
}

func (a sctpAcceptor) addrs() []netip.AddrPort { return a.listener.Addrs() }

func (a sctpAcceptor) Close() error { return a.listener.Close() }

func dialSCTP(ctx context.Context, cfg *DialConfig) (*socket, error) {
	if cfg.PPID == 0 {
		return nil, errNoPPID
	}
	ppid := cfg.PPID
	if !cfg.Plain {
		ppid = recordPPID
	}
	local := sctp.Endpoint{Addrs: cfg.Local, Port: cfg.LocalPort}
	remote := sctp.Endpoint{
		Addrs: slices.Concat([]netip.Addr{cfg.Remote.Addr()}, cfg.More), Port: cfg.Remote.Port(),
	}
	conn, err := sctp.Dial(ctx, local, remote, []uint32{ppid})
	if err != nil {
		return nil, fmt.Errorf("connect to %v over sctp: %w", cfg.Remote, err)
	}
	return sctpSocket(conn, cfg.PPID), nil
}

func sctpSocket(conn *sctp.Conn, ppid uint32) *socket {
	return &socket{
		Conn: &records{Conn: conn}, plain: &messages{conn, ppid}, protocol: wire.ProtocolSCTP, finish: conn.Finish,
		local: conn.LocalAddrs(), remote: conn.RemoteAddrs(),
	}
}

// messages carries each message in one of SCTP (RFC 5352 8.3), with its padding.
type messages struct {
	*sctp.Conn
	ppid uint32
}

func (m *messages) readMessage() ([]byte, error) {
	msg, err := m.ReadMessage()
	if err != nil {
		return nil, err
	}
	if len(msg) < headerLen {
		return nil, fmt.Errorf("%w: %d bytes", errFrame, len(msg))
	}
	n := int(binary.BigEndian.Uint16(msg[2:]))
	if n < headerLen || n > len(msg) || len(msg) > n+padding(n) {
		return nil, fmt.Errorf("%w: length %d in %d bytes", errFrame, n, len(msg))
	}
	return msg[:n], nil
}

func (m *messages) writeMessage(msg []byte) error { return m.WriteMessage(msg, m.ppid) }

// records carries TLS, one record in each message (RFC 3436 3.2). TLS writes whole
// records, but in pieces of its own making.
type records struct {
	*sctp.Conn
	rest []byte // the beginning of a record
}

// Write is over only when the records that p completes are sent.
func (r *records) Write(p []byte) (int, error) {
	b := p
	if len(r.rest) > 0 {
		b = append(r.rest, p...)
	}
	for {
		n, whole := recordLen(b)
		if !whole {
			r.rest = slices.Clone(b)
			return len(p), nil
		}
		if err := r.WriteMessage(b[:n], recordPPID); err != nil {
			return 0, err // nothing follows, whatever was sent
		}
		b = b[n:]
	}
}

// recordLen is the length of the record that b begins with.
func recordLen(b []byte) (n int, whole bool) {
	if len(b) < recordHeaderLen {
		return 0, false
	}
	n = recordHeaderLen + int(binary.BigEndian.Uint16(b[3:]))
	return n, len(b) >= n
}
