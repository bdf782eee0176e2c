// SPDX-License-Identifier: Apache-2.0

package policy

import (
	"math/bits"
	"math/rand/v2"
	"unsafe"

	"github.com/weir-lb/weir/registrar/prefetch"
)

// lots are random numbers that were drawn ahead of their use, so that what they are likely to mean is at hand by then. They
// mean nothing before: what leaves or comes meanwhile changes no chance.
type lots struct {
	numbers [16]uint64
	next    uint
	drawn   bool
}

// lot is a random number below n, each with the same chance.
func (l *lottery) lot(rnd *rand.Rand, n uint64) uint64 {
	for {
		number, rest := bits.Mul64(l.turn(rnd), n)
		if rest >= n || rest >= -n%n { // else the lowest of some numbers would have a chance more
			return number
		}
	}
}

// turn is the next of the numbers, and draws another.
func (l *lottery) turn(rnd *rand.Rand) uint64 {
	a := &l.ahead
	if !a.drawn {
		a.drawn = true
		for i := range a.numbers {
			a.numbers[i] = rnd.Uint64()
		}
	}
	at := &a.numbers[a.next%uint(len(a.numbers))]
	number := *at
	*at = rnd.Uint64()
	a.next++
	if t := l.likely(*at); t != nil {
		prefetch.Line(unsafe.Pointer(t))
	}
	if t := l.likely(a.numbers[(a.next+uint(len(a.numbers))/2)%uint(len(a.numbers))]); t != nil {
		prefetch.Lines(unsafe.Pointer(t.element))
	}
	return number
}

// likely is the ticket that a number would draw now.
func (l *lottery) likely(number uint64) *ticket {
	if l.bound > 0 {
		n, _ := bits.Mul64(number, l.bound)
		at, _ := l.find(n)
		return &l.groups[at.group-1][at.index]
	}
	rest := l.groups[others]
	if len(rest) == 0 {
		return nil
	}
	n, _ := bits.Mul64(number, uint64(len(rest)))
	return &rest[n]
}
