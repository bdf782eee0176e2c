/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* SipHash-1-3 (Aumasson, Bernstein 2012): a keyed hash that nobody without the key can aim with.
 * 15 ns of 16 bytes; the plain jhash of other balancers lets a client choose its element. */
#ifndef WEIR_SIPHASH_H
#define WEIR_SIPHASH_H

#include "parse.h"

#define ROTL64(x, b) (((x) << (b)) | ((x) >> (64 - (b))))

#define SIPROUND(v0, v1, v2, v3)                                       \
	do {                                                           \
		v0 += v1; v1 = ROTL64(v1, 13); v1 ^= v0; v0 = ROTL64(v0, 32); \
		v2 += v3; v3 = ROTL64(v3, 16); v3 ^= v2;               \
		v0 += v3; v3 = ROTL64(v3, 21); v3 ^= v0;               \
		v2 += v1; v1 = ROTL64(v1, 17); v1 ^= v2; v2 = ROTL64(v2, 32); \
	} while (0)

/* Of n words, which is known when compiling. */
static __always_inline __u64 siphash(const __u64 key[2], const __u64 *words, const int n)
{
	__u64 v0 = key[0] ^ 0x736f6d6570736575ULL, v1 = key[1] ^ 0x646f72616e646f6dULL;
	__u64 v2 = key[0] ^ 0x6c7967656e657261ULL, v3 = key[1] ^ 0x7465646279746573ULL;
	const __u64 length = (__u64)n * 8 << 56;

#pragma unroll
	for (int i = 0; i < n; i++) {
		v3 ^= words[i];
		SIPROUND(v0, v1, v2, v3);
		v0 ^= words[i];
	}
	v3 ^= length;
	SIPROUND(v0, v1, v2, v3);
	v0 ^= length;
	v2 ^= 0xff;
	SIPROUND(v0, v1, v2, v3);
	SIPROUND(v0, v1, v2, v3);
	SIPROUND(v0, v1, v2, v3);
	return v0 ^ v1 ^ v2 ^ v3;
}

/* Of both ends of a packet, the source with this port, its protocol and another 24 bits. */
static __always_inline __u64 siphash_ends(const __u64 key[2], const struct packet *p, __be16 sport, __u32 more)
{
	__u64 ports = (__u64)sport << 48 | (__u64)p->dport << 32 | (__u32)(more << 8) | p->protocol;

	if (is_v6(p)) {
		__u64 words[] = { p->src.half[0], p->src.half[1], p->dst.half[0], p->dst.half[1], ports };

		return siphash(key, words, 5);
	}
	__u64 words[] = { (__u64)address_word(&p->src) << 32 | address_word(&p->dst), ports };

	return siphash(key, words, 2);
}

static __always_inline __u64 siphash_packet(const __u64 key[2], const struct packet *p, __u32 more)
{
	return siphash_ends(key, p, p->sport, more);
}

#endif
