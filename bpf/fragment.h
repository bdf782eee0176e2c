/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Fragments: only the first of a packet has ports. What was decided for it is remembered for about two
 * seconds, and is what becomes of the others that come behind it.
 *
 * A table of its own, of cache lines: an entry is one word, so that it is read and written at once by
 * any number of CPUs. An LRU hash would cost 3 to 5 misses to look up and 500 ns to insert (each first
 * fragment of a flood), and evicts no better: here, too, the oldest of the bucket gives way. */
#ifndef WEIR_FRAGMENT_H
#define WEIR_FRAGMENT_H

#include "flow.h"
#include "maps.h"
#include "parse.h"
#include "plan.h"
#include "siphash.h"

#define FRAGMENT_LIFE 32 /* sixteenths of a tick */

enum fragment_way {
	FRAGMENT_TO_ELEMENT = 1, /* row: the element */
	FRAGMENT_TO_CLIENT = 2,  /* row: the service */
	FRAGMENT_TO_NOBODY = 3,
};

/* An entry: row, enum fragment_way, time, and a tag of the hash in the upper half. 0: free. */
#define FRAGMENT_ROW(w) ((__u16)(w))
#define FRAGMENT_WAY(w) ((__u32)(w) >> 16 & 3)
#define FRAGMENT_TIME(w) ((__u32)(w) >> 18)
#define FRAGMENT_TIMES 0x3fff
#define FRAGMENT_TAG(w) ((__u32)((w) >> 32))

static __always_inline __u32 fragment_now(void)
{
	return bpf_jiffies64() >> (tick_shift - 4) & FRAGMENT_TIMES;
}

static __always_inline __u32 fragment_age(__u64 word, __u32 now)
{
	return (now - FRAGMENT_TIME(word)) & FRAGMENT_TIMES;
}

/* Of what belongs together when a packet is reassembled (RFC 791 3.2, RFC 8200 4.5). Keyed, so that nobody
 * outside can aim at an entry. */
static __always_inline __u64 fragment_hash(const __u64 key[2], const struct packet *p)
{
	__u64 id = (__u64)p->id << 32 | p->protocol;

	if (is_v6(p)) {
		__u64 words[] = { p->src.half[0], p->src.half[1], p->dst.half[0], p->dst.half[1], id };

		return siphash(key, words, 5);
	}
	__u64 words[] = { (__u64)address_word(&p->src) << 32 | address_word(&p->dst), id };

	return siphash(key, words, 2);
}

static __always_inline struct fragment_bucket *fragment_bucket(const struct packet *p, __u32 *tag)
{
	__u32 zero = 0;
	const struct parameters *set = bpf_map_lookup_elem(&settings, &zero);

	if (!set)
		return 0;
	__u64 hash = fragment_hash(set->guard_key, p);
	__u32 at = hash % FRAGMENT_BUCKETS;
	*tag = hash >> 32;
	return bpf_map_lookup_elem(&fragments, &at);
}

/* Remembers what was decided for a first fragment: in its own entry, if there is one of a packet with the
 * same identification, else in place of the oldest. A function of its own, which the verifier goes
 * through once. */
__noinline int fragment_note(const struct packet *p, __u32 row, __u32 way)
{
	__u32 tag = 0, now = fragment_now(), oldest = 0, at = 0;

	if (!p)
		return 0;
	struct fragment_bucket *b = fragment_bucket(p, &tag);
	if (!b)
		return 0;
	for (__u32 i = 0; i < FRAGMENT_WAYS; i++) {
		__u64 word = READ_ONCE(b->ways[i]);
		__u32 age = word ? fragment_age(word, now) : FRAGMENT_TIMES + 1;

		if (word && FRAGMENT_TAG(word) == tag)
			age = FRAGMENT_TIMES + 2;
		if (age >= oldest) {
			oldest = age;
			at = i;
		}
	}
	if (at >= FRAGMENT_WAYS)
		return 0;
	WRITE_ONCE(b->ways[at], (__u64)tag << 32 | now << 18 | way << 16 | (row & 0xffff));
	return 1;
}

/* A first fragment whose verdict is known. */
static __always_inline void fragment_first(const struct packet *p, const struct plan *plan, enum verdict verdict)
{
	if (verdict == VERDICT_STEER_FORWARD)
		fragment_note(p, plan->row, FRAGMENT_TO_ELEMENT);
	else if (verdict == VERDICT_STEER_RETURN)
		fragment_note(p, plan->row, FRAGMENT_TO_CLIENT);
	else if (verdict == VERDICT_STEER_FRAGMENT)
		fragment_note(p, 0, FRAGMENT_TO_NOBODY);
}

/* A later fragment. One that comes before its first, or long after it, is left to the stack. Returns enum
 * verdict. A function of its own, which the verifier goes through once. */
__noinline int fragment_later(const struct packet *p, struct plan *plan)
{
	__u32 tag = 0, now = fragment_now();

	if (!p || !plan)
		return VERDICT_FRAGMENT;
	struct fragment_bucket *b = fragment_bucket(p, &tag);
	if (!b)
		return VERDICT_FRAGMENT;
	for (__u32 i = 0; i < FRAGMENT_WAYS; i++) {
		__u64 word = READ_ONCE(b->ways[i]);

		if (!word || FRAGMENT_TAG(word) != tag || fragment_age(word, now) > FRAGMENT_LIFE)
			continue;
		plan->row = FRAGMENT_ROW(word);
		plan->spread = tag;
		if (FRAGMENT_WAY(word) == FRAGMENT_TO_ELEMENT)
			return VERDICT_STEER_FORWARD;
		return FRAGMENT_WAY(word) == FRAGMENT_TO_CLIENT ? VERDICT_STEER_RETURN : VERDICT_STEER_FRAGMENT;
	}
	return VERDICT_FRAGMENT;
}

#endif
