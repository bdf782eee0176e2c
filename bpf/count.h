/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef WEIR_COUNT_H
#define WEIR_COUNT_H

#include "maps.h"

static __always_inline void count(enum verdict verdict, __u32 bytes)
{
	__u32 key = verdict;
	struct count *c = bpf_map_lookup_elem(&counters, &key);

	if (c) {
		c->packets++;
		c->bytes += bytes;
	}
}

static __always_inline void tally(enum tally what)
{
	__u32 key = what;
	__u64 *n = bpf_map_lookup_elem(&tallies, &key);

	if (n)
		++*n;
}

#endif
