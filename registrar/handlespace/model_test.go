// SPDX-License-Identifier: Apache-2.0

package handlespace_test

import (
	"cmp"
	"math/rand/v2"
	"slices"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

// The model is the plainest thing that can be right: a list of registrations, newest last.
type model []row

type row struct {
	key     handlespace.Key
	by      handlespace.Identity // zero: another registrar told of it
	home    wire.ServerID
	element wire.PoolElement
	state   handlespace.State
}

func (m model) index(k handlespace.Key) int {
	return slices.IndexFunc(m, func(r row) bool { return r.key == k })
}

// accepts follows RFC 5352 3.1 by looking at any other member: all agree, so one is enough.
func (m model) accepts(by handlespace.Identity, k handlespace.Key, e wire.PoolElement) bool {
	for _, r := range m {
		if r.key.Pool != k.Pool {
			continue
		}
		same := r.element.Policy.Type == e.Policy.Type && r.element.User.Protocol == e.User.Protocol &&
			r.element.User.Use == e.User.Use
		foreign := !by.IsZero() && !r.by.IsZero() && r.by.Name() != by.Name()
		if !same || r.key.PE == k.PE && foreign {
			return false
		}
	}
	return true
}

func (m *model) enter(r row) {
	if i := m.index(r.key); i >= 0 {
		(*m)[i] = r
		return
	}
	*m = append(*m, r)
}

func (m *model) remove(k handlespace.Key) bool {
	i := m.index(k)
	if i >= 0 {
		*m = slices.Delete(*m, i, i+1)
	}
	return i >= 0
}

// sorted is all rows that want holds for, by pool and identifier.
func (m model) sorted(want func(row) bool) []row {
	var rows []row
	for _, r := range m {
		if want(r) {
			rows = append(rows, r)
		}
	}
	slices.SortFunc(rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(a.key.Pool, b.key.Pool), cmp.Compare(a.key.PE, b.key.PE))
	})
	return rows
}

// checksum is RFC 5353 3.6.2 of a home's elements, word by word.
func (m model) checksum(home wire.ServerID) uint16 {
	sum := 0
	for _, r := range m {
		if r.home != home {
			continue
		}
		block := []byte(r.key.Pool)
		for len(block)%4 != 0 {
			block = append(block, 0)
		}
		id := uint32(r.key.PE)
		block = append(block, byte(id>>24), byte(id>>16), byte(id>>8), byte(id))
		for i := 0; i < len(block); i += 2 {
			sum += int(block[i])<<8 + int(block[i+1])
			sum = sum&0xffff + sum>>16
		}
	}
	return ^uint16(sum)
}

// somewhere is a key that may or may not be in the Space: any place to go on from.
func somewhere(rnd *rand.Rand) handlespace.Key {
	pool := []wire.PoolHandle{"", "pool-0", "pool-00", "pool-1", "pool-2", "zz"}[rnd.IntN(6)]
	return handlespace.Key{Pool: pool, PE: []wire.PEID{0, 2, 300, ^wire.PEID(0)}[rnd.IntN(4)]}
}
