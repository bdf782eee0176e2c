// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"encoding/binary"
	"fmt"
)

// PoolHandle names a pool: 1 to 65,527 arbitrary bytes, not necessarily text (RFC 5354 3.9). rsplib 3.4.4 aborts on more
// than 32 bytes.
type PoolHandle string

// PEID identifies a pool element within its pool; the element picks it (RFC 5354 3.14).
type PEID uint32

// String gives the identifier as 0x and eight hexadecimal digits.
func (id PEID) String() string { return fmt.Sprintf("0x%08x", uint32(id)) }

// ServerID identifies a registrar (the RFCs' ENRP server); 0 is "undetermined" (RFC 5354 3.10).
type ServerID uint32

// String gives the identifier as 0x and eight hexadecimal digits.
func (id ServerID) String() string { return fmt.Sprintf("0x%08x", uint32(id)) }

func (h PoolHandle) invalid() string {
	if h == "" {
		return "empty pool handle"
	}
	return ""
}

func decodePoolHandle(p param) (PoolHandle, *Error) {
	h := PoolHandle(p.value())
	if reason := h.invalid(); reason != "" {
		return "", p.invalid(reason)
	}
	return h, nil
}

func (h PoolHandle) encode(w *writer) {
	if reason := h.invalid(); reason != "" {
		w.fail(reason)
	}
	mark := w.open(uint16(paramPoolHandle))
	w.string(string(h))
	w.close(mark)
}

func decodePEID(p param) (PEID, *Error) {
	if len(p.value()) != 4 {
		return 0, p.invalid("wrong length for a PE identifier")
	}
	return PEID(binary.BigEndian.Uint32(p.value())), nil
}

func (id PEID) encode(w *writer) {
	mark := w.open(uint16(paramPEID))
	w.u32(uint32(id))
	w.close(mark)
}
