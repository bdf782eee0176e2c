/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* SCTP's checksum by difference. A CRC is linear: the CRCs of two packets of the same length differ by
 * that of their difference, with nothing put in and out, and this is what differs, as a polynomial, times a
 * power of x for all that follows it in the packet. So that nothing but what is changed is read. */
#ifndef WEIR_CRC_H
#define WEIR_CRC_H

#include <linux/types.h>
#include <bpf/bpf_helpers.h>

#define CRC_POLYNOMIAL 0x82f63b78 /* CRC32c (RFC 9260 appendix A); the highest bit is x^0 */

/* x^(8 * 2^k) modulo the polynomial: what 2^k bytes that follow make of a CRC. */
const volatile __u32 crc_powers[16] = {
	0x00800000, 0x00008000, 0x82f63b78, 0x6ea2d55c,
	0x18b8ea18, 0x510ac59a, 0xb82be955, 0xb8fdb1e7,
	0x88e56f72, 0x74c360a4, 0xe4172b16, 0x0d65762a,
	0x35d73a62, 0x28461564, 0xbf455269, 0xe2ea32dc,
};

/* The product of two polynomials, modulo the CRC's. Functions of their own, which the verifier goes
 * through once. */
__noinline __u32 crc_multiply(__u32 a, __u32 b)
{
	__u32 product = 0;

	for (int i = 0; i < 32; i++) {
		product ^= a & -(b >> 31);
		b <<= 1;
		a = a >> 1 ^ (CRC_POLYNOMIAL & -(a & 1));
	}
	return product;
}

/* What a difference in a packet's first 4 bytes makes of the CRC over so many bytes. A word of the packet
 * that is loaded has its first byte lowest, which is where a CRC takes the next one in. */
__noinline __u32 crc_diff(__u32 diff, __u32 bytes)
{
	for (int k = 0; k < 16; k++)
		if (bytes >> k & 1)
			diff = crc_multiply(diff, crc_powers[k]);
	return diff;
}

#endif
