/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Addresses of both families, and the keyed hash of one with a port and a protocol. */
#ifndef WEIR_ADDRESS_H
#define WEIR_ADDRESS_H

#include <linux/ipv6.h>
#include <bpf/bpf_endian.h>

#include "types.h"

#define V4_MAPPED ((__u64)bpf_htonl(0xffff)) /* the third word; in memory the address follows */

static __always_inline struct address address_v4(__be32 addr)
{
	struct address a = { .half = { 0, V4_MAPPED | (__u64)addr << 32 } };
	return a;
}

static __always_inline int is_v4_mapped(const struct address *a)
{
	return !a->half[0] && (__u32)a->half[1] == (__u32)V4_MAPPED;
}

static __always_inline __be32 address_word(const struct address *a)
{
	return a->half[1] >> 32;
}

static __always_inline struct address address_v6(const struct in6_addr *addr)
{
	struct address a;

	__builtin_memcpy(&a, addr, sizeof(a)); /* an IP header is not aligned to 8 bytes */
	return a;
}

static __always_inline int same_address(const struct address *a, const struct address *b)
{
	return a->half[0] == b->half[0] && a->half[1] == b->half[1];
}

/* A keyed hash of where a packet comes from or goes to. For IPv4 it is a bijection of the 56 bits
 * (maps/tuple.go has its inverse), so that two tuples never have the same hash; of IPv6 two have it
 * once in 2^64. Nobody without the key can aim at a hash; it is no MAC. */
static __always_inline __u64 tuple_hash(const __u64 key[4], const struct address *addr, __be16 port, __u8 protocol, int v6)
{
	__u64 x = (__u64)port << 16 | (__u64)protocol << 8;

	if (v6) {
		__u64 y = (addr->half[0] ^ key[0]) * key[3];

		y = ((y ^ y >> 32) + addr->half[1]) * key[2];
		x ^= (y ^ y >> 29) * key[1] | 1; /* the last bit tells the families apart */
	} else {
		x |= (__u64)address_word(addr) << 32;
	}
	x ^= key[0];
	x = (x ^ x >> 32) * key[1]; /* multiplying spreads upwards, and the address is in the upper half */
	x = (x ^ x >> 32) * key[2];
	return x ^ x >> 29;
}

#endif
