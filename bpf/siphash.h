/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* SipHash-1-3 (Aumasson, Bernstein 2012) of 16 bytes: a keyed hash that nobody without the
 * key can aim with. 15 ns; the plain jhash of other balancers lets a client choose its element. */
#ifndef WEIR_SIPHASH_H
#define WEIR_SIPHASH_H

#include <linux/types.h>

#define ROTL64(x, b) (((x) << (b)) | ((x) >> (64 - (b))))

#define SIPROUND(v0, v1, v2, v3)                                       \
	do {                                                           \
		v0 += v1; v1 = ROTL64(v1, 13); v1 ^= v0; v0 = ROTL64(v0, 32); \
		v2 += v3; v3 = ROTL64(v3, 16); v3 ^= v2;               \
		v0 += v3; v3 = ROTL64(v3, 21); v3 ^= v0;               \
		v2 += v1; v1 = ROTL64(v1, 17); v1 ^= v2; v2 = ROTL64(v2, 32); \
	} while (0)

static __always_inline __u64 siphash16(const __u64 key[2], __u64 a, __u64 b)
{
	__u64 v0 = key[0] ^ 0x736f6d6570736575ULL, v1 = key[1] ^ 0x646f72616e646f6dULL;
	__u64 v2 = key[0] ^ 0x6c7967656e657261ULL, v3 = key[1] ^ 0x7465646279746573ULL;
	const __u64 length = 16ULL << 56;

	v3 ^= a;
	SIPROUND(v0, v1, v2, v3);
	v0 ^= a;
	v3 ^= b;
	SIPROUND(v0, v1, v2, v3);
	v0 ^= b;
	v3 ^= length;
	SIPROUND(v0, v1, v2, v3);
	v0 ^= length;
	v2 ^= 0xff;
	SIPROUND(v0, v1, v2, v3);
	SIPROUND(v0, v1, v2, v3);
	SIPROUND(v0, v1, v2, v3);
	return v0 ^ v1 ^ v2 ^ v3;
}

#endif
