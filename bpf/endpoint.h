/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What listens at an address and port, in one cache line whatever the number of services. */
#ifndef WEIR_ENDPOINT_H
#define WEIR_ENDPOINT_H

#include "address.h"
#include "maps.h"

/* Whether the tuple of this hash may be an endpoint's. */
static __always_inline int endpoint_is_likely(__u64 hash)
{
	__u32 zero = 0, index = hash >> 32, tag = hash;
	const struct endpoint_hints *hints = bpf_map_lookup_elem(&endpoint_hints, &zero);

	return hints && hints->tags[index % ENDPOINT_BUCKETS] >> tag % HINT_BITS & 1;
}

/* The slot of the endpoint whose tuple has this hash, or one like it: once in 2^32 a tuple that is
 * no endpoint finds one. Where that matters the caller compares with the row. What listens at a
 * place and what answers from there are two endpoints. 0: none. */
static __always_inline const struct endpoint_slot *endpoint_find(__u64 hash, int answers)
{
	__u32 index = hash >> 32, tag = hash;

	if (!endpoint_is_likely(hash))
		return 0;
	for (int probe = 0; probe < ENDPOINT_PROBES; probe++) {
		__u32 at = (index + probe) % ENDPOINT_BUCKETS;
		const struct endpoint_bucket *b = bpf_map_lookup_elem(&endpoints, &at);

		if (!b)
			return 0;
#pragma unroll
		for (int i = 0; i < ENDPOINT_SLOTS; i++) {
			__u8 kind = b->slots[i].kind;

			if (!kind) /* slots are filled from the first: there is no more */
				return 0;
			if (b->slots[i].tag == tag && (kind == ENDPOINT_SERVER) == answers)
				return &b->slots[i];
		}
	}
	return 0;
}

static __always_inline const struct service *service_row(__u16 row)
{
	__u32 index = row;

	return bpf_map_lookup_elem(&services, &index);
}

/* Whether the row is that of a packet to this place. */
static __always_inline int service_is(const struct service *s, const struct address *addr, __be16 port, __u8 protocol)
{
	return s->port == port && s->protocol == protocol && same_address(&s->addr, addr);
}

#endif
