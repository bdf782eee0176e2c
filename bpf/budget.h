/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What may be spent on those that have proved nothing. */
#ifndef WEIR_BUDGET_H
#define WEIR_BUDGET_H

#include "maps.h"

/* Takes one packet's place in the bucket's schedule; 0 when the bucket is spent. A few tries
 * against other CPUs, then the packet counts as too many. */
static __always_inline int spend(const struct parameters *set, enum budget budget, __u64 now)
{
	__u32 key = budget;
	__u64 *next = bpf_map_lookup_elem(&budgets, &key);
	const struct rate *rate = &set->rates[budget];

	if (!next || !rate->interval)
		return 0;
#pragma unroll
	for (int i = 0; i < 4; i++) {
		__u64 seen = *(volatile __u64 *)next;
		__u64 place = seen > now ? seen : now;

		if (place - now > rate->burst)
			return 0;
		if (__sync_val_compare_and_swap(next, seen, place + rate->interval) == seen)
			return 1;
	}
	return 0;
}

#endif
