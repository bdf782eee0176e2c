// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"encoding/binary"
	"math/big"
	"math/rand/v2"
	"net/netip"
	"testing"

	"github.com/weir-lb/weir/bpf"
)

// modelHash is tuple_hash as bpf/address.h describes it, over the bytes of the packet and with the numbers of
// math/big.
func modelHash(key [4]uint64, at netip.AddrPort, protocol uint8) uint64 {
	port := binary.BigEndian.AppendUint16(nil, at.Port())
	input := []byte{0, protocol, port[0], port[1], 0, 0, 0, 0}
	if ip := at.Addr().Unmap(); ip.Is4() {
		copy(input[4:], ip.AsSlice())
		return modelMix(key, binary.NativeEndian.Uint64(input))
	}
	ip := at.Addr().AsSlice()
	y := modelTimes(binary.NativeEndian.Uint64(ip[:8])^key[0], key[3])
	y = modelTimes(modelSum(modelFold(y, 32), binary.NativeEndian.Uint64(ip[8:])), key[2])
	y = modelTimes(modelFold(y, 29), key[1])
	if y%2 == 0 {
		y++
	}
	return modelMix(key, binary.NativeEndian.Uint64(input)^y)
}

func modelMix(key [4]uint64, x uint64) uint64 {
	x = modelTimes(modelFold(x^key[0], 32), key[1])
	x = modelTimes(modelFold(x, 32), key[2])
	return modelFold(x, 29)
}

func modelTimes(a, b uint64) uint64 {
	return modelModulo(new(big.Int).Mul(new(big.Int).SetUint64(a), new(big.Int).SetUint64(b)))
}

func modelSum(a, b uint64) uint64 {
	return modelModulo(new(big.Int).Add(new(big.Int).SetUint64(a), new(big.Int).SetUint64(b)))
}

func modelModulo(x *big.Int) uint64 {
	return x.Mod(x, new(big.Int).Lsh(big.NewInt(1), 64)).Uint64()
}

// modelFold stirs the upper bits into the lower ones.
func modelFold(x uint64, by uint) uint64 {
	upper := new(big.Int).Rsh(new(big.Int).SetUint64(x), by)
	return upper.Xor(upper, new(big.Int).SetUint64(x)).Uint64()
}

// tuples are random ones of both families and all protocols, and the extremes.
func tuples(n int) (all []Service) {
	random := rand.New(rand.NewPCG(7, 8))
	for _, ip := range []string{"0.0.0.0", "255.255.255.255", "::", "::1", "::ffff:1.2.3.4", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"} {
		for _, port := range []uint16{0, 1, 65535} {
			for _, protocol := range []uint8{0, 255} {
				all = append(all, Service{netip.AddrPortFrom(netip.MustParseAddr(ip), port), protocol})
			}
		}
	}
	for range n {
		var b [16]byte
		binary.NativeEndian.PutUint64(b[:8], random.Uint64())
		binary.NativeEndian.PutUint64(b[8:], random.Uint64())
		ip := netip.AddrFrom16(b)
		if random.IntN(2) == 0 {
			ip = netip.AddrFrom4([4]byte(b[:4]))
		}
		all = append(all, Service{netip.AddrPortFrom(ip, uint16(random.Uint32())), uint8(random.Uint32())})
	}
	return all
}

func TestTupleHashAgreesWithModel(t *testing.T) {
	for range 10 {
		key := newTupleKey()
		for _, s := range tuples(300) {
			if got, want := key.hash(s.VIP, s.Protocol), modelHash(key, s.VIP, s.Protocol); got != want {
				t.Fatalf("key %x, %s: hash %x, want %x", key, s, got, want)
			}
		}
	}
}

// Of IPv4 two tuples never have the same hash, and it has all that there is to know of the tuple.
func TestTupleHashHasAnInverse(t *testing.T) {
	for range 10 {
		key := newTupleKey()
		for _, s := range tuples(2000) {
			if !s.VIP.Addr().Unmap().Is4() {
				continue
			}
			want := netip.AddrPortFrom(s.VIP.Addr().Unmap(), s.VIP.Port())
			if got, protocol := key.client(key.hash(s.VIP, s.Protocol)); got != want || protocol != s.Protocol {
				t.Fatalf("key %x: %s, protocol %d, came back as %s, protocol %d", key, want, s.Protocol, got, protocol)
			}
		}
	}
}

// Neither of the hash's halves, which choose buckets, may depend on a part of the tuple only.
func TestTupleHashSpreads(t *testing.T) {
	key := newTupleKey()
	const buckets, n = 64, 64 * 400
	for name, at := range map[string]func(i int) netip.AddrPort{
		"ports": func(i int) netip.AddrPort {
			return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, 1}), uint16(i))
		},
		"addresses": func(i int) netip.AddrPort {
			return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), 80)
		},
		"IPv6 ports": func(i int) netip.AddrPort { return netip.AddrPortFrom(netip.MustParseAddr("2001:db8::1"), uint16(i)) },
		"IPv6 hosts": func(i int) netip.AddrPort {
			return netip.AddrPortFrom(netip.AddrFrom16([16]byte{0x20, 1, 14: byte(i >> 8), 15: byte(i)}), 80)
		},
		"IPv6 networks": func(i int) netip.AddrPort {
			return netip.AddrPortFrom(netip.AddrFrom16([16]byte{0x20, 1, 6: byte(i >> 8), 7: byte(i)}), 80)
		},
	} {
		var count [2][buckets]int
		for i := range n {
			hash := key.hash(at(i), TCP)
			count[0][(hash>>32)*buckets>>32]++
			count[1][(hash&0xffffffff)*buckets>>32]++
		}
		for half := range count {
			for bucket, c := range count[half] {
				if c < 200 || c > 600 { // 400, and ten times the deviation of what is random
					t.Errorf("%s: half %d puts %d of %d into bucket %d of %d", name, half, c, n, bucket, buckets)
				}
			}
		}
	}
}

func TestTupleKey(t *testing.T) {
	seen := map[uint64]bool{}
	for range 100 {
		key := newTupleKey()
		for i, part := range key {
			if seen[part] {
				t.Fatalf("key %x has a number that was there before", key)
			}
			seen[part] = true
			if i > 0 && part%2 == 0 {
				t.Fatalf("key %x: number %d is even and has no inverse", key, i)
			}
		}
	}
}

func TestSettingsWithoutKeysAreNotUsed(t *testing.T) {
	m := newBareMaps(t)
	const want = "the settings have no keys yet"
	if _, err := OpenSteering(m, nil); err == nil || err.Error() != want {
		t.Errorf("steering: %v", err)
	}
	if _, err := OpenGuard(m, nil, nil); err == nil || err.Error() != want {
		t.Errorf("guard: %v", err)
	}
	if _, err := OpenFlows(m, testClock()); err == nil || err.Error() != want {
		t.Errorf("flows: %v", err)
	}
	must(t, WriteParameters(m, testClock(), limits(), testTimeouts()))
	first := lookup[bpf.WeirParameters](t, m.Settings, uint32(0)).TupleKey
	must(t, WriteParameters(m, testClock(), limits(), testTimeouts()))
	if again := lookup[bpf.WeirParameters](t, m.Settings, uint32(0)).TupleKey; again != first || first == [4]uint64{} {
		t.Errorf("tuple key %x became %x", first, again)
	}
}
