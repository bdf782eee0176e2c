// SPDX-License-Identifier: Apache-2.0

package wire

// ServerAnnounce is ASAP_SERVER_ANNOUNCE (RFC 5352 2.2.10): a registrar says where it is, usually by multicast.
type ServerAnnounce struct {
	Server     ServerID
	Transports []Transport // SCTP and TCP only; may be empty: rsplib's are, and mean the datagram's source
}

// Type is TypeServerAnnounce.
func (*ServerAnnounce) Type() MessageType { return TypeServerAnnounce }

func parseServerAnnounce(msg param, sk *skips) (Message, *Error) {
	c, err := readParams(msg, serverFixedLen, rule{repeated: inServer}, sk)
	if err != nil {
		return nil, err
	}
	return &ServerAnnounce{Server: serverID(msg), Transports: c.transports}, nil
}

func (m *ServerAnnounce) encode(w *writer) (flags uint8) {
	w.u32(uint32(m.Server))
	for _, t := range m.Transports {
		if !t.Protocol.ofServer() {
			w.fail("announced transport is neither SCTP nor TCP")
		}
		t.encode(w)
	}
	return 0
}
