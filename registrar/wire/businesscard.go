// SPDX-License-Identifier: Apache-2.0

package wire

// BusinessCard is ASAP_BUSINESS_CARD (RFC 5352 2.2.13): a pool element, or a pool user that is one too, says which pool it
// is of, and who should take its place.
type BusinessCard struct {
	Pool PoolHandle
	// Elements are in the order in which to try them (RFC 5352 3.9). There may be none: the pool handle has its own use.
	Elements []PoolElement
}

// Type is TypeBusinessCard.
func (*BusinessCard) Type() MessageType { return TypeBusinessCard }

func parseBusinessCard(msg param, sk *skips) (Message, *Error) {
	c, err := readParams(msg, HeaderLen, rule{required: 1 << paramPoolHandle, repeated: 1 << paramPoolElement}, sk)
	if err != nil {
		return nil, err
	}
	return &BusinessCard{Pool: c.pool, Elements: c.elements}, nil
}

func (m *BusinessCard) encode(w *writer) (flags uint8) {
	m.Pool.encode(w)
	for i := range m.Elements {
		m.Elements[i].encode(w)
	}
	return 0
}
