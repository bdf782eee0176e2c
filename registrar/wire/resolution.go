// SPDX-License-Identifier: Apache-2.0

package wire

import "math"

// AllItems in a HandleResolution asks for as many elements as the registrar gives at once.
const AllItems uint32 = math.MaxUint32

// HandleResolution is ASAP_HANDLE_RESOLUTION (RFC 5352 2.2.5): which elements has this pool?
type HandleResolution struct {
	Subscribe bool // the S flag: send updates for as long as the association lives
	Pool      PoolHandle
	// Items is the number of elements wanted: rsplib's private parameter 0x803f, nil if absent. It takes 0 as 3.
	Items *uint32
}

// Type is TypeHandleResolution.
func (*HandleResolution) Type() MessageType { return TypeHandleResolution }

// HandleResolutionResponse is ASAP_HANDLE_RESOLUTION_RESPONSE (RFC 5352 2.2.6). It is negative if it has causes, and then
// has neither a policy nor elements; otherwise it is positive, and then has at least one element.
type HandleResolutionResponse struct {
	Accepted bool // the A flag: updates will be sent
	Pool     PoolHandle
	Policy   *Policy // the pool's policy; nil means round robin
	Elements []PoolElement
	Causes   []ErrorCause
}

// Type is TypeHandleResolutionResponse.
func (*HandleResolutionResponse) Type() MessageType { return TypeHandleResolutionResponse }

func (m *HandleResolutionResponse) invalid() string {
	switch {
	case len(m.Causes) > 0 && (m.Policy != nil || len(m.Elements) > 0):
		return "negative resolution with a policy or elements"
	case len(m.Causes) == 0 && len(m.Elements) == 0:
		return "positive resolution without elements"
	}
	return ""
}

func parseHandleResolution(msg param, sk *skips) (Message, *Error) {
	c, err := readParams(msg, HeaderLen, rule{required: 1 << paramPoolHandle}, sk)
	if err != nil {
		return nil, err
	}
	return &HandleResolution{Subscribe: lowFlag(msg), Pool: c.pool, Items: c.items}, nil
}

func (m *HandleResolution) encode(w *writer) (flags uint8) {
	m.Pool.encode(w)
	if m.Items != nil {
		mark := w.open(uint16(paramItems))
		w.u32(*m.Items)
		w.close(mark)
	}
	return bit(m.Subscribe)
}

func parseHandleResolutionResponse(msg param, sk *skips) (Message, *Error) {
	c, err := readParams(msg, HeaderLen, rule{
		required: 1 << paramPoolHandle,
		optional: 1<<paramPolicy | 1<<paramOperationError,
		repeated: 1 << paramPoolElement,
	}, sk)
	if err != nil {
		return nil, err
	}
	m := &HandleResolutionResponse{Accepted: lowFlag(msg), Pool: c.pool, Elements: c.elements, Causes: c.causes}
	if c.seen&(1<<paramPolicy) != 0 {
		m.Policy = &c.policy
	}
	if reason := m.invalid(); reason != "" {
		return nil, msg.invalid(reason)
	}
	return m, nil
}

func (m *HandleResolutionResponse) encode(w *writer) (flags uint8) {
	if reason := m.invalid(); reason != "" {
		w.fail(reason)
	}
	m.Pool.encode(w)
	if m.Policy != nil {
		m.Policy.encode(w)
	}
	for i := range m.Elements {
		m.Elements[i].encode(w)
	}
	encodeCauses(w, m.Causes)
	return bit(m.Accepted)
}
