// SPDX-License-Identifier: Apache-2.0

package handlespace

import (
	"math/bits"
	"math/rand/v2"
	"unsafe"

	"github.com/weir-lb/weir/registrar/prefetch"
	"github.com/weir-lb/weir/registrar/wire"
)

// index finds a pool's elements by identifier: a hash table with open addressing and linear probing. A search goes through
// keys alone, of which eight are a line of memory; an element's entry is at the same place as its key, so that both can be
// fetched at once.
//
// Pool elements choose their identifiers. Where one goes depends on two numbers that nobody else knows, so that nobody can
// have many go to one place.
type index struct {
	keys    []key // a power of two of them, at most four fifths taken
	entries []entry
	n       int
	shift   int // 64 less that power
	secret  [2]uint64
}

// key is an identifier, and its element's slot and 1; it is free if that is 0.
type key struct {
	id wire.PEID
	at uint32
}

// entry is an element and what is asked of it most often: to ask the element itself would be to wait for memory again.
type entry struct {
	element *Element
	by      Identity    // the element's
	print   fingerprint // the element's
}

// leastKeys is how many the index of a small pool has room for.
const leastKeys = 8

func newIndex() index {
	x := index{secret: [2]uint64{rand.Uint64(), rand.Uint64() | 1}}
	x.resize(leastKeys)
	return x
}

// resize makes room for that many, a power of two.
func (x *index) resize(size int) {
	keys, entries := x.keys, x.entries
	x.keys, x.entries, x.shift = make([]key, size), make([]entry, size), 65-bits.Len(uint(size))
	for was, k := range keys { // they go about in the order in which they are
		if k.at != 0 {
			at := x.vacancy(k.id)
			x.keys[at], x.entries[at] = k, entries[was]
		}
	}
}

// start is where the search for an identifier begins.
func (x *index) start(id wire.PEID) int {
	mixed := (uint64(id) ^ x.secret[0]) * x.secret[1]
	mixed = (mixed ^ mixed>>32) * x.secret[1]
	return int(mixed >> x.shift)
}

func (x *index) next(at int) int { return (at + 1) & (len(x.keys) - 1) }

// expect has at hand where an identifier is likely to be.
func (x *index) expect(id wire.PEID) {
	at := x.start(id)
	prefetch.Few(unsafe.Pointer(&x.keys[at]), unsafe.Pointer(&x.entries[at]))
}

// find is where an identifier is until the next change, -1 if it is not in.
func (x *index) find(id wire.PEID) int {
	for at := x.start(id); ; at = x.next(at) {
		switch k := x.keys[at]; {
		case k.at == 0:
			return -1
		case k.id == id:
			return at
		}
	}
}

// slot is that of whoever is there.
func (x *index) slot(at int) uint32 { return x.keys[at].at - 1 }

// vacancy is where an identifier goes that is not in.
func (x *index) vacancy(id wire.PEID) int {
	at := x.start(id)
	for x.keys[at].at != 0 {
		at = x.next(at)
	}
	return at
}

// add takes in an identifier, which must not be in, and says where it is until the next change.
func (x *index) add(id wire.PEID, slot uint32) (at int) {
	x.n++
	if x.n > len(x.keys)/5*4 {
		x.resize(2 * len(x.keys))
	}
	at = x.vacancy(id)
	x.keys[at] = key{id, slot + 1}
	return at
}

// remove takes out who is there. What is behind it and would not be found across the gap moves up.
func (x *index) remove(gap int) {
	x.n--
	mask := len(x.keys) - 1
	for at := x.next(gap); x.keys[at].at != 0; at = x.next(at) {
		if from := x.start(x.keys[at].id); (at-from)&mask >= (at-gap)&mask {
			x.keys[gap], x.entries[gap] = x.keys[at], x.entries[at]
			gap = at
		}
	}
	x.keys[gap], x.entries[gap] = key{}, entry{}
}
