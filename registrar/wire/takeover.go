// SPDX-License-Identifier: Apache-2.0

package wire

import "encoding/binary"

// InitTakeover is ENRP_INIT_TAKEOVER (RFC 5353 2.7): the sender means to take over the elements of a dead registrar.
type InitTakeover struct {
	Servers
	Target ServerID // the dead one
}

// Type is TypeInitTakeover.
func (*InitTakeover) Type() ENRPType { return TypeInitTakeover }

// InitTakeoverAck is ENRP_INIT_TAKEOVER_ACK (RFC 5353 2.8): the sender does not object to the receiver's takeover.
type InitTakeoverAck struct {
	Servers
	Target ServerID
}

// Type is TypeInitTakeoverAck.
func (*InitTakeoverAck) Type() ENRPType { return TypeInitTakeoverAck }

// TakeoverServer is ENRP_TAKEOVER_SERVER (RFC 5353 2.9): the sender has taken the target's elements over.
type TakeoverServer struct {
	Servers
	Target ServerID
}

// Type is TypeTakeoverServer.
func (*TakeoverServer) Type() ENRPType { return TypeTakeoverServer }

func parseInitTakeover(msg param, sk *skips) (ENRPMessage, *Error) {
	between, target, err := parseTakeover(msg, sk)
	if err != nil {
		return nil, err
	}
	return &InitTakeover{Servers: between, Target: target}, nil
}

func (m *InitTakeover) encode(w *writer) (flags uint8) { return encodeTakeover(w, m.Servers, m.Target) }

func parseInitTakeoverAck(msg param, sk *skips) (ENRPMessage, *Error) {
	between, target, err := parseTakeover(msg, sk)
	if err != nil {
		return nil, err
	}
	return &InitTakeoverAck{Servers: between, Target: target}, nil
}

func (m *InitTakeoverAck) encode(w *writer) (flags uint8) {
	return encodeTakeover(w, m.Servers, m.Target)
}

func parseTakeoverServer(msg param, sk *skips) (ENRPMessage, *Error) {
	between, target, err := parseTakeover(msg, sk)
	if err != nil {
		return nil, err
	}
	return &TakeoverServer{Servers: between, Target: target}, nil
}

func (m *TakeoverServer) encode(w *writer) (flags uint8) {
	return encodeTakeover(w, m.Servers, m.Target)
}

// parseTakeover decodes what the three have in common, which is all but the type.
func parseTakeover(msg param, sk *skips) (Servers, ServerID, *Error) {
	if _, err := readParams(msg, targetFixedLen, rule{}, sk); err != nil {
		return Servers{}, 0, err
	}
	return servers(msg), ServerID(binary.BigEndian.Uint32(msg.tlv[enrpFixedLen:])), nil
}

func encodeTakeover(w *writer, between Servers, target ServerID) (flags uint8) {
	between.encode(w)
	w.u32(uint32(target))
	return 0
}
