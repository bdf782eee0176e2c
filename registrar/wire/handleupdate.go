// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"encoding/binary"
	"fmt"
)

// HandleUpdate is ENRP_HANDLE_UPDATE (RFC 5353 2.4): an element's home registrar tells the others that it came, changed,
// or went.
type HandleUpdate struct {
	Servers
	Action  UpdateAction
	Pool    PoolHandle
	Element PoolElement
}

// Type is TypeHandleUpdate.
func (*HandleUpdate) Type() ENRPType { return TypeHandleUpdate }

// UpdateAction is what to do with an element (RFC 5353 2.4).
type UpdateAction uint16

// The actions of RFC 5353 2.4. Others are invalid.
const (
	ActionAddPE    UpdateAction = 0 // add or update
	ActionDeletePE UpdateAction = 1
)

// String gives the RFC's name, or the number as 0x and four digits.
func (a UpdateAction) String() string {
	switch a {
	case ActionAddPE:
		return "ADD_PE"
	case ActionDeletePE:
		return "DEL_PE"
	}
	return fmt.Sprintf("0x%04x", uint16(a))
}

func (a UpdateAction) invalid() string {
	if a > ActionDeletePE {
		return "reserved update action " + a.String()
	}
	return ""
}

func parseHandleUpdate(msg param, sk *skips) (ENRPMessage, *Error) {
	c, err := readParams(msg, targetFixedLen, rule{required: 1<<paramPoolHandle | 1<<paramPoolElement}, sk)
	if err != nil {
		return nil, err
	}
	action := UpdateAction(binary.BigEndian.Uint16(msg.tlv[enrpFixedLen:]))
	if reason := action.invalid(); reason != "" {
		return nil, msg.invalid(reason)
	}
	return &HandleUpdate{Servers: servers(msg), Action: action, Pool: c.pool, Element: c.elements[0]}, nil
}

func (m *HandleUpdate) encode(w *writer) (flags uint8) {
	if reason := m.Action.invalid(); reason != "" {
		w.fail(reason)
	}
	m.Servers.encode(w)
	w.u16(uint16(m.Action))
	w.u16(0) // reserved
	m.Pool.encode(w)
	m.Element.encode(w)
	return 0
}
