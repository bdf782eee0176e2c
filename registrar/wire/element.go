// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"encoding/binary"
	"fmt"
)

// LifeInfinite is the registration life of an element that never expires (RFC 5354 3.10).
const LifeInfinite int32 = -1

// PoolElement is a Pool Element parameter (RFC 5354 3.10).
type PoolElement struct {
	ID   PEID
	Home ServerID // the home registrar, 0 if undetermined
	// Life is the registration's lifetime in seconds, or LifeInfinite; smaller values are invalid. rsplib 3.4.4 sends
	// milliseconds here.
	Life   int32
	User   Transport // where the element serves
	Policy Policy
	// ASAP is where the element speaks ASAP, always SCTP; nil if absent.
	ASAP *Transport
}

// elementFixedLen is the length of a Pool Element's header, identifiers and life.
const elementFixedLen = paramHeaderLen + 12

func (e PoolElement) invalid() string {
	switch {
	case e.Life < LifeInfinite:
		return "negative registration life"
	case e.ASAP != nil && e.ASAP.Protocol != ProtocolSCTP: // RFC 5354 3.10
		return "ASAP transport is not SCTP"
	}
	return ""
}

func appendElement(es []PoolElement, p param, sk *skips) ([]PoolElement, *Error) {
	c, err := readParams(p, elementFixedLen, rule{required: 1 << paramPolicy, repeated: inTransports}, sk)
	if err != nil {
		return nil, err
	}
	if n := len(c.transports); n < 1 || n > 2 {
		return nil, p.invalid(fmt.Sprintf("pool element with %d transports", n))
	}
	e := PoolElement{
		ID:     PEID(binary.BigEndian.Uint32(p.tlv[4:])),
		Home:   ServerID(binary.BigEndian.Uint32(p.tlv[8:])),
		Life:   int32(binary.BigEndian.Uint32(p.tlv[12:])),
		User:   c.transports[0],
		Policy: c.policy,
	}
	if len(c.transports) == 2 {
		e.ASAP = &c.transports[1]
	}
	if reason := e.invalid(); reason != "" {
		return nil, p.invalid(reason)
	}
	return append(es, e), nil
}

func (e PoolElement) encode(w *writer) {
	if reason := e.invalid(); reason != "" {
		w.fail(reason)
	}
	mark := w.open(uint16(paramPoolElement))
	w.u32(uint32(e.ID))
	w.u32(uint32(e.Home))
	w.u32(uint32(e.Life))
	e.User.encode(w)
	e.Policy.encode(w)
	if e.ASAP != nil {
		e.ASAP.encode(w)
	}
	w.close(mark)
}
