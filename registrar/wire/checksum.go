// SPDX-License-Identifier: Apache-2.0

package wire

import "encoding/binary"

// Checksum is the PE checksum of a set of pool elements, which two registrars compare to see whether they know the same
// elements of one of them (RFC 5353 3.6). Elements come and go one by one, in any order; equal sets have equal Checksums.
// The zero Checksum is that of no elements.
type Checksum struct {
	// sum is of all 16-bit words, and without the end-around carry: with it, what is left after a removal would have lost
	// whether there is anything left, which the two zeros of one's complement tell apart. 2^32 elements with the longest
	// handles fit.
	sum uint64
}

// Add takes an element in, which must not be in.
func (c *Checksum) Add(pool PoolHandle, pe PEID) { c.sum += wordSum(pool, pe) }

// Remove takes an element out, which must be in.
func (c *Checksum) Remove(pool PoolHandle, pe PEID) { c.sum -= wordSum(pool, pe) }

// Value is the checksum as the PE Checksum parameter carries it (RFC 5354 3.15): the one's complement of the one's
// complement sum of the words (RFC 1071). 0xffff is no elements.
func (c Checksum) Value() uint16 {
	folded := c.sum
	for folded > 0xffff {
		folded = folded>>16 + folded&0xffff
	}
	return ^uint16(folded)
}

// wordSum is the sum of the 16-bit words of an element's block: the handle, zeros up to a multiple of 4 bytes, and the
// identifier (RFC 5353 3.6.2). Of the zeros only one can share a word with the handle.
func wordSum(pool PoolHandle, pe PEID) uint64 {
	sum := uint64(pe>>16) + uint64(pe&0xffff)
	for ; len(pool) >= 2; pool = pool[2:] {
		sum += uint64(pool[0])<<8 | uint64(pool[1])
	}
	if len(pool) == 1 {
		sum += uint64(pool[0]) << 8
	}
	return sum
}

// decodeChecksum decodes a PE Checksum parameter (RFC 5354 3.15).
func decodeChecksum(p param) (*uint16, *Error) {
	if len(p.value()) != 2 {
		return nil, p.invalid("wrong length for a PE checksum")
	}
	sum := binary.BigEndian.Uint16(p.value())
	return &sum, nil
}

// encodeChecksum writes a PE Checksum parameter, or nothing if sum is nil.
func encodeChecksum(w *writer, sum *uint16) {
	if sum == nil {
		return
	}
	mark := w.open(uint16(paramPEChecksum))
	w.u16(*sum)
	w.close(mark)
}
