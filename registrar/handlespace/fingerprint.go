// SPDX-License-Identifier: Apache-2.0

package handlespace

import (
	"encoding/binary"
	"hash/maphash"
	"unsafe"

	"github.com/weir-lb/weir/registrar/wire"
)

// fingerprint is a hash of all that a registration says of an element, and of who says it, under a key that only this Space has.
// An element that registers again with the same one is as it was, and is not even looked at: most registrations change
// nothing, and of a large pool the element is not in the processor's caches. A change is missed with a chance of 1 in 2^64,
// which nobody can better, since none is ever shown to anybody.
type fingerprint uint64

// unlike is the fingerprint of an element that is Away: a registration changes it, whatever it says.
const unlike fingerprint = 0

// printOf is the fingerprint of an Up element.
func (s *Space) printOf(we *wire.PoolElement, home wire.ServerID, by Identity) fingerprint {
	var room [192]byte // most need about 70
	b := binary.NativeEndian.AppendUint32(room[:0], uint32(home))
	b = binary.NativeEndian.AppendUint32(b, uint32(we.Life))
	b = binary.NativeEndian.AppendUint64(b, by.number())
	b = binary.NativeEndian.AppendUint32(b, uint32(we.Policy.Type))
	b = appendBytes(b, we.Policy.Data)
	b = appendTransport(b, &we.User)
	if we.ASAP != nil {
		b = appendTransport(b, we.ASAP)
	}
	return max(fingerprint(maphash.Bytes(s.seed, b)), unlike+1)
}

// number is one that no other identity has as long as an element is this one's.
func (i Identity) number() uint64 { return uint64(uintptr(unsafe.Pointer(i.who))) }

// appendTransport and appendBytes say how long they are, so that no two elements are the same bytes.
func appendTransport(b []byte, t *wire.Transport) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(t.Protocol))
	b = binary.NativeEndian.AppendUint16(b, t.Port)
	b = binary.NativeEndian.AppendUint16(b, uint16(t.Use))
	b = binary.NativeEndian.AppendUint32(b, t.ServiceCode)
	b = binary.NativeEndian.AppendUint32(b, uint32(len(t.Addrs)))
	for _, a := range t.Addrs {
		as16 := a.As16()
		b = append(b, byte(a.BitLen()))
		b = append(b, as16[:]...)
		b = appendBytes(b, a.Zone())
	}
	return appendBytes(b, t.Opaque)
}

func appendBytes[T string | []byte](b []byte, data T) []byte {
	return append(binary.NativeEndian.AppendUint32(b, uint32(len(data))), data...)
}
