/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Selection: who may use a service, and which element a new flow gets. */
#ifndef WEIR_SELECT_H
#define WEIR_SELECT_H

#include "maps.h"
#include "siphash.h"

#define SELECT_TRIES 8 /* slots looked at for an active element whose way back is free */

/* What the service's lists say of a client; -1: nothing. A function of its own, so that its key takes no
 * stack of steer_new, below which there is more: all together may have 512 bytes. */
__noinline int rule_of(const struct address *client, __u32 service)
{
	struct access_key key = { .bits = 8 * (sizeof(key) - sizeof(key.bits)), .service = service };

	if (!client)
		return -1;
	key.addr = *client;
	const __u32 *rule = bpf_map_lookup_elem(&access, &key);
	return rule ? (int)*rule : -1;
}

/* Whether the service is not for this client. */
static __always_inline int is_denied(const struct service *s, __u16 service, const struct address *client)
{
	if (s->access == ACCESS_ALL)
		return 0;
	int rule = rule_of(client, service);

	return rule < 0 ? s->access == ACCESS_LISTED : rule == RULE_DENY;
}

/* By what a new flow chooses. */
static __always_inline __u64 select_hash(const struct service *s, const __u64 key[2], const struct packet *p)
{
	return siphash_ends(key, p, s->by_client ? 0 : p->sport, 0);
}

static __always_inline __u32 hashed_slot(const struct service *s, __u64 hash)
{
	return ((hash & 0xffffffff) * s->slots) >> 32;
}

/* Each core takes the slots one after the other. They begin at different ones, so that the first flows
 * on many cores do not all get the same element. */
static __always_inline __u32 next_turn(const struct service *s, __u32 service)
{
	__u32 *next = bpf_map_lookup_elem(&turns, &service);

	if (!next)
		return 0;
	__u32 turn = *next < s->slots ? *next : 0;
	*next = turn + 1;
	return (turn + bpf_get_smp_processor_id()) % s->slots;
}

static __always_inline __u32 next_slot(const struct service *s, __u32 service, __u64 hash)
{
	switch (s->spread) {
	case SPREAD_TURNS:
		return next_turn(s, service);
	case SPREAD_RANDOM:
		return hashed_slot(s, bpf_get_prandom_u32());
	default:
		return hashed_slot(s, hash);
	}
}

/* The element in the given slot of the service's table, by its row; 0: none. */
static __always_inline __u16 selected(__u32 service, __u32 slot)
{
	void *table = bpf_map_lookup_elem(&selections, &service);
	__u32 at = slot / CELL_SLOTS;

	if (!table)
		return 0;
	struct selection_cell *cell = bpf_map_lookup_elem(table, &at);
	return cell ? cell->elements[slot % CELL_SLOTS] : 0;
}

/* The element that the key before the current one chooses; 0: none, or there was no rotation. */
static __always_inline __u16 selected_before(const struct parameters *set, const struct service *s, __u32 service, const struct packet *p)
{
	if (s->spread != SPREAD_CONSISTENT || !(set->select_before[0] | set->select_before[1]))
		return 0;
	return selected(service, hashed_slot(s, select_hash(s, set->select_before, p)));
}

/* Counts a flow that an element was given, where that makes a difference to who gets the next ones. */
static __always_inline void note_chosen(const struct service *s, __u32 row)
{
	__u64 *flows = s->spread == SPREAD_CONSISTENT ? 0 : bpf_map_lookup_elem(&chosen, &row);

	if (flows)
		++*flows;
}

#endif
