// SPDX-License-Identifier: Apache-2.0

package wire

// Presence is ENRP_PRESENCE (RFC 5353 2.1): a registrar says that it is there, or asks whether another is.
type Presence struct {
	Servers
	// ReplyRequired asks for a Presence back: the lowest flag, which 2.1's figure leaves out.
	ReplyRequired bool
	// Checksum is over all elements whose home the sender is (Checksum.Value); nil if absent.
	Checksum *uint16
	// Info is about the sender; nil if absent. Required in the reply to ReplyRequired, and by rsplib always.
	Info *ServerInfo
}

// Type is TypePresence.
func (*Presence) Type() ENRPType { return TypePresence }

func parsePresence(msg param, sk *skips) (ENRPMessage, *Error) {
	c, err := readParams(msg, enrpFixedLen, rule{optional: 1<<paramPEChecksum | 1<<paramServer}, sk)
	if err != nil {
		return nil, err
	}
	m := &Presence{Servers: servers(msg), ReplyRequired: lowFlag(msg), Checksum: c.checksum}
	if len(c.servers) > 0 {
		m.Info = &c.servers[0]
	}
	return m, nil
}

func (m *Presence) encode(w *writer) (flags uint8) {
	m.Servers.encode(w)
	encodeChecksum(w, m.Checksum)
	if m.Info != nil {
		m.Info.encode(w)
	}
	return bit(m.ReplyRequired)
}
