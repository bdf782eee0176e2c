// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"encoding/binary"
	"fmt"
)

// ServerInfo is a Server Information parameter (RFC 5354 3.11): a registrar, and where it speaks ENRP.
type ServerInfo struct {
	ID ServerID
	// Transport is SCTP by the RFC, and TCP for a registrar without it.
	Transport Transport
}

func appendServer(servers []ServerInfo, p param, sk *skips) ([]ServerInfo, *Error) {
	c, err := readParams(p, serverFixedLen, rule{repeated: inServer}, sk)
	if err != nil {
		return nil, err
	}
	if n := len(c.transports); n != 1 {
		return nil, p.invalid(fmt.Sprintf("server information with %d transports", n))
	}
	id := ServerID(binary.BigEndian.Uint32(p.tlv[paramHeaderLen:]))
	return append(servers, ServerInfo{ID: id, Transport: c.transports[0]}), nil
}

func (s ServerInfo) encode(w *writer) {
	if !s.Transport.Protocol.ofServer() {
		w.fail("server transport is neither SCTP nor TCP")
	}
	mark := w.open(uint16(paramServer))
	w.u32(uint32(s.ID))
	s.Transport.encode(w)
	w.close(mark)
}

// ofServer says whether a registrar can be reached by this protocol.
func (p Protocol) ofServer() bool { return p == ProtocolSCTP || p == ProtocolTCP }
