// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"encoding/binary"
	"errors"
	"net/netip"

	"github.com/weir-lb/weir/bpf"
)

// tupleKey is the key of tuple_hash (bpf/address.h).
type tupleKey [4]uint64

// readTupleKey is that of the settings, which must be written.
func readTupleKey(m *bpf.WeirMaps) (tupleKey, error) {
	p, err := readSettings(m)
	if err != nil {
		return tupleKey{}, err
	}
	if p.TupleKey == [4]uint64{} {
		return tupleKey{}, errors.New("the settings have no keys yet")
	}
	return p.TupleKey, nil
}

// newTupleKey is random; what is multiplied with is odd, so that multiplying can be undone.
func newTupleKey() (k tupleKey) {
	a, b := newKey(), newKey()
	return tupleKey{a[0], a[1] | 1, b[0] | 1, b[1] | 1}
}

// hash is tuple_hash.
func (k tupleKey) hash(at netip.AddrPort, protocol uint8) uint64 {
	x := uint64(be16(at.Port()))<<16 | uint64(protocol)<<8
	if addr := at.Addr().Unmap(); addr.Is4() {
		b := addr.As4()
		x |= uint64(binary.NativeEndian.Uint32(b[:])) << 32
	} else {
		a := address(addr)
		y := (a.Half[0] ^ k[0]) * k[3]
		y = ((y ^ y>>32) + a.Half[1]) * k[2]
		x ^= (y^y>>29)*k[1] | 1
	}
	x ^= k[0]
	x = (x ^ x>>32) * k[1]
	x = (x ^ x>>32) * k[2]
	return x ^ x>>29
}

// client is the inverse of hash for IPv4.
func (k tupleKey) client(hash uint64) (at netip.AddrPort, protocol uint8) {
	x := hash ^ hash>>29 ^ hash>>58
	x *= inverse(k[2])
	x ^= x >> 32
	x *= inverse(k[1])
	x ^= x>>32 ^ k[0]
	var b [4]byte
	binary.NativeEndian.PutUint32(b[:], uint32(x>>32))
	return netip.AddrPortFrom(netip.AddrFrom4(b), fromBE16(uint16(x>>16))), uint8(x >> 8)
}

// inverse is that of an odd number modulo 2^64 (Newton's iteration: each step doubles the bits that
// are right, of which the number itself has three).
func inverse(odd uint64) uint64 {
	x := odd
	for range 5 {
		x *= 2 - odd*x
	}
	return x
}
