/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The guard in front of the registrar's port. Doubt here means DROP.
 *
 * Flows of authenticated sessions pass. A stranger's SYN spends from its source's budget and
 * from one for all strangers; when that is spent, the SYN is answered from here by a SYN-ACK
 * whose acknowledgement is a MAC and not the client's number. A client in SYN-SENT must answer
 * that by a RST with exactly this sequence number (RFC 9293 3.10.7.3), which proves that it owns
 * its address, and Linux sends its SYN again within milliseconds. Nothing is stored for an address
 * that did not prove itself. */
#ifndef WEIR_GUARD_H
#define WEIR_GUARD_H

#include "budget.h"
#include "maps.h"
#include "parse.h"
#include "reply.h"
#include "siphash.h"

#define NSEC_PER_SEC 1000000000ULL
#define CHALLENGE_EPOCH_SHIFT 33 /* 2^33 ns: 8.6 s; the last and the current one are valid */

/* Counts a SYN in one row; returns how many this cell saw in this second. Lost updates between
 * CPUs make it count less, never more than a bucket's worth. */
static __always_inline __u32 sketch_add(__u32 row, __u32 hash, __u32 second)
{
	__u32 key = row * SKETCH_CELLS + (hash & (SKETCH_CELLS - 1));
	struct sketch_cell *cell = bpf_map_lookup_elem(&sketch, &key);

	if (!cell)
		return 0;
	if (cell->epoch != second) {
		cell->epoch = second;
		cell->count = 0;
	}
	return ++cell->count;
}

/* Whether the source may send another SYN in this second. Of IPv6 it is a whole /64, which one host
 * may have. */
static __always_inline int source_may(const struct parameters *set, const struct packet *p, __u64 now)
{
	__u32 second = now / NSEC_PER_SEC;
	__u64 words[] = { is_v6(p) ? p->src.half[0] : address_word(&p->src), second };
	__u64 hash = siphash(set->guard_key, words, 2);
	__u32 a = sketch_add(0, hash, second), b = sketch_add(1, hash >> 32, second);

	return (a < b ? a : b) <= set->source_per_second;
}

static __always_inline __u32 challenge_mac(const struct parameters *set, const struct packet *p, __u64 epoch)
{
	return siphash_packet(set->guard_key, p, epoch);
}

static __always_inline enum verdict challenge(const struct parameters *set, const struct packet *p, struct plan *plan, __u64 now)
{
	struct segment s = { .flags = TCP_SYN | TCP_ACK };

	if (!spend(set, BUDGET_CHALLENGES, now))
		return VERDICT_GUARD_GLOBAL_SPENT;
	s.ack = challenge_mac(set, p, now >> CHALLENGE_EPOCH_SHIFT);
	if (s.ack == p->seq + 1) /* would be accepted instead of answered: once in 2^32 */
		return VERDICT_GUARD_GLOBAL_SPENT;
	return answer(plan, &s, VERDICT_GUARD_CHALLENGED, VERDICT_GUARD_GLOBAL_SPENT);
}

static __always_inline int answers_challenge(const struct parameters *set, const struct packet *p, __u64 now)
{
	__u64 epoch = now >> CHALLENGE_EPOCH_SHIFT;
	__u32 seq = p->seq;

	return seq == challenge_mac(set, p, epoch) || seq == challenge_mac(set, p, epoch - 1);
}

static __always_inline enum verdict guard_proof(const struct parameters *set, const struct packet *p, __u64 now)
{
	__u64 expires = now + set->proven_ns;
	struct address src = p->src; /* a key lies on the stack, before Linux 6.5 */

	bpf_map_update_elem(&proven, &src, &expires, BPF_ANY);
	return VERDICT_GUARD_PROOF;
}

static __always_inline int is_proven(const struct packet *p, __u64 now)
{
	struct address src = p->src; /* as in guard_proof */
	__u64 *expires = bpf_map_lookup_elem(&proven, &src);

	return expires && *expires > now;
}

static __always_inline enum verdict guard_syn(const struct parameters *set, const struct packet *p, struct plan *plan,
					      const struct newcomer_key *key, __u64 now)
{
	struct newcomer fresh = { .expires = now + set->handshake_ns, .packets = set->handshake_packets };
	enum verdict verdict;

	if (!source_may(set, p, now))
		return VERDICT_GUARD_SOURCE_SPENT;
	if (is_proven(p, now)) {
		verdict = VERDICT_GUARD_PROVEN;
		if (!spend(set, BUDGET_PROVEN, now))
			return VERDICT_GUARD_GLOBAL_SPENT;
	} else {
		verdict = VERDICT_GUARD_NEWCOMER;
		if (!spend(set, BUDGET_NEWCOMERS, now))
			return challenge(set, p, plan, now);
	}
	bpf_map_update_elem(&newcomers, key, &fresh, BPF_ANY);
	return verdict;
}

static __always_inline enum verdict guard_newcomer(struct newcomer *n, __u64 now)
{
	if (n->expires <= now)
		return VERDICT_GUARD_FLOW_SPENT;
	if ((__s32)__sync_fetch_and_add(&n->packets, -1) <= 0) {
		__sync_fetch_and_add(&n->packets, 1);
		return VERDICT_GUARD_FLOW_SPENT;
	}
	return VERDICT_GUARD_HANDSHAKE;
}

static __always_inline int is_admitted(const struct packet *p, __u64 now)
{
	struct peer_key key = { .addr = p->src, .port = p->sport, .local_port = p->dport };
	__u64 *expires = bpf_map_lookup_elem(&admitted, &key);

	return expires && *expires > now;
}

/* Impossible combinations that no stack sends to open, use or close a connection. */
static __always_inline int bad_flags(__u8 flags)
{
	int syn = !!(flags & TCP_SYN), fin = !!(flags & TCP_FIN), rst = !!(flags & TCP_RST);

	return syn + fin + rst > 1 || !(flags & (TCP_SYN | TCP_ACK | TCP_RST));
}

/* A function of its own, which the verifier goes through once. Returns enum verdict. */
__noinline int guard(const struct packet *p, struct plan *plan)
{
	__u32 zero = 0;
	const struct parameters *set = bpf_map_lookup_elem(&settings, &zero);
	__u64 now = bpf_ktime_get_coarse_ns();

	if (!p || !plan || !set)
		return VERDICT_GUARD_MALFORMED;
	struct newcomer_key key = { .src = p->src, .dst = p->dst, .sport = p->sport, .dport = p->dport };
	if (p->protocol != IPPROTO_TCP)
		return VERDICT_GUARD_NOT_TCP;
	if (p->fragment)
		return VERDICT_GUARD_FRAGMENT;
	if (!p->whole || bad_flags(p->flags))
		return VERDICT_GUARD_MALFORMED;
	if (is_admitted(p, now))
		return VERDICT_GUARD_ADMITTED;
	if ((p->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN)
		return guard_syn(set, p, plan, &key, now);
	/* Even of a known connection: its SYN may have got in once and been challenged the next time. */
	if (p->flags & TCP_RST && answers_challenge(set, p, now))
		return guard_proof(set, p, now);
	struct newcomer *n = bpf_map_lookup_elem(&newcomers, &key);
	if (n)
		return guard_newcomer(n, now);
	return p->flags & TCP_RST ? VERDICT_GUARD_FALSE_PROOF : VERDICT_GUARD_UNKNOWN_FLOW;
}

#endif
