/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* SCTP associations of clients with several addresses (RFC 9260 6.4): a flow from another address belongs to
 * the element that has the association. It is known by the verification tag that its packets carry, which
 * only the two ends know; and, before there is one, by the addresses that an INIT lists.
 *
 * A tag is remembered when the client goes on after its element's INIT ACK (or, where we do not see that,
 * after its INIT), and for the way back when the element has accepted the cookie. The table is of cache
 * lines with entries of one word, as fragments: an LRU hash costs several misses, and evicts no better. */
#ifndef WEIR_ASSOCIATION_H
#define WEIR_ASSOCIATION_H

#include "flow.h"
#include "maps.h"
#include "parse.h"
#include "plan.h"
#include "select.h"
#include "siphash.h"

#define INIT_PARAMETERS 16 /* of an INIT that are looked at */
#define INIT_ADDRESSES 4   /* of its addresses */
#define INIT_FIXED 16      /* bytes before the parameters (RFC 9260 3.3.2) */
#define PARAMETER_IPV4 5
#define PARAMETER_IPV6 6

struct sctp_parameter {
	__be16 type;
	__be16 length; /* with this header, without padding */
};

/* An entry: row of the element, tick of the last use, tag of the hash in the upper half. 0: free. */
#define ASSOCIATION_ROW(w) ((__u16)(w))
#define ASSOCIATION_SEEN(w) ((__u16)((w) >> 16))
#define ASSOCIATION_TAG(w) ((__u32)((w) >> 32))

/* Keyed, so that nobody outside can aim at an entry: of the end that is not the client, and the client's port
 * and what the packets to this end are tagged with. */
static __always_inline struct association_bucket *association_bucket(const struct packet *p, int back, __u32 *tag)
{
	__u32 zero = 0;
	const struct parameters *set = bpf_map_lookup_elem(&settings, &zero);

	if (!set)
		return 0;
	const struct address *near = back ? &p->src : &p->dst;
	__u64 words[] = { near->half[0], near->half[1],
			  (__u64)(back ? p->sport : p->dport) << 48 | (__u64)(back ? p->dport : p->sport) << 32 | p->seq };
	__u64 hash = siphash(set->guard_key, words, 3);
	__u32 at = hash % ASSOCIATION_BUCKETS;

	*tag = hash >> 32;
	return bpf_map_lookup_elem(&associations, &at);
}

/* Remembers whose the packet's tag is: in its own entry, else in place of the one that was used longest ago. */
__noinline int association_note(const struct packet *p, __u32 row, __u32 back)
{
	__u32 tag = 0, oldest = 0, at = 0;
	__u16 now = flow_tick();

	if (!p)
		return 0;
	struct association_bucket *b = association_bucket(p, back, &tag);
	if (!b)
		return 0;
	for (__u32 i = 0; i < ASSOCIATION_WAYS; i++) {
		__u64 word = READ_ONCE(b->ways[i]);
		__u32 age = word ? (__u16)(now - ASSOCIATION_SEEN(word)) : 0x10000;

		if (word && ASSOCIATION_TAG(word) == tag)
			age = 0x10001;
		if (age >= oldest) {
			oldest = age;
			at = i;
		}
	}
	if (at >= ASSOCIATION_WAYS)
		return 0;
	WRITE_ONCE(b->ways[at], (__u64)tag << 32 | (__u32)now << 16 | (row & 0xffff));
	return 1;
}

/* The element of the association that the packet's tag is of; 0: not known. */
__noinline __u32 association_find(const struct packet *p, __u32 back)
{
	__u32 tag = 0;
	__u16 now = flow_tick();

	if (!p)
		return 0;
	struct association_bucket *b = association_bucket(p, back, &tag);
	if (!b)
		return 0;
	for (__u32 i = 0; i < ASSOCIATION_WAYS; i++) {
		__u64 word = READ_ONCE(b->ways[i]);

		if (!word || ASSOCIATION_TAG(word) != tag)
			continue;
		WRITE_ONCE(b->ways[i], (word & ~(__u64)0xffff0000) | (__u32)now << 16);
		return ASSOCIATION_ROW(word);
	}
	return 0;
}

/* The element that a client's flow from this address has. */
__noinline __u32 association_at(const struct packet *p, const struct address *addr, __u32 service)
{
	__u32 zero = 0;
	const struct parameters *set = bpf_map_lookup_elem(&settings, &zero);

	if (!p || !addr || !set)
		return 0;
	struct found f = flow_forward(tuple_hash(set->tuple_key, addr, p->sport, IPPROTO_SCTP, is_v6(p)), service);
	return f.flow ? WORD_ELEMENT(f.word) : 0;
}

/* The element that has the client of an INIT by another of the addresses that it lists; 0: none. */
__noinline __u32 association_of_init(struct xdp_md *ctx, const struct packet *p, __u32 service)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 seen = 0;

	if (!p)
		return 0;
	__u32 at = p->l4 + sizeof(struct sctp_header) + sizeof(struct sctp_chunk) + INIT_FIXED;
	for (int i = 0; i < INIT_PARAMETERS && seen < INIT_ADDRESSES; i++) {
		struct sctp_parameter *parameter = data + (at & 0x3fff);
		__be32 *word = (void *)(parameter + 1);
		struct address addr = {};

		if ((void *)(word + 1) > end)
			return 0;
		__u32 length = bpf_ntohs(parameter->length);
		if (length < sizeof(*parameter))
			return 0;
		if (is_v6(p) && parameter->type == bpf_htons(PARAMETER_IPV6)) {
			if ((void *)(word + 4) > end)
				return 0;
			addr = address_v6((void *)word);
			seen++;
		} else if (!is_v6(p) && parameter->type == bpf_htons(PARAMETER_IPV4)) {
			addr = address_v4(*word);
			seen++;
		}
		if (addr.half[1]) {
			__u32 row = association_at(p, &addr, service);
			if (row)
				return row;
		}
		at += (length + 3) & ~3;
	}
	return 0;
}

/* A packet of no flow: if it is of an association that is known, its flow is made for the element that has
 * this. Returns the element's row; 0: it is not, and chooses like any. */
__noinline __u32 association_join(struct xdp_md *ctx, const struct packet *p, __u64 key, __u32 service)
{
	const struct service *s = service_row(service);

	if (!p || !s || is_denied(s, service, &p->src) || p->flags & TCP_RST)
		return 0;
	int begins = p->flags & TCP_SYN;
	struct newflow n = {
		.key = key, .client = p->src, .port = p->sport, .service = service, .tick = flow_tick(),
		.state = (begins ? FLOW_OPENING : FLOW_ESTABLISHED) | FLOW_SCTP << FLOW_CLASS_SHIFT | (is_v6(p) ? FLOW_V6 : 0),
	};
	n.row = begins ? association_of_init(ctx, p, service) : association_find(p, 0);
	const struct element *e = n.row ? element_row(n.row) : 0;
	if (!e || e->state < (begins ? ELEMENT_ACTIVE : ELEMENT_DRAINING) || e->service != service)
		return 0;
	return flow_store(&n) == FLOW_STORED ? n.row : 0;
}

/* A packet of an element to an address of its client's that has no flow yet. Returns the service; 0: it is of
 * no association that is known. */
__noinline __u32 association_answer(const struct packet *p, __u64 key)
{
	if (!p || p->flags & (TCP_SYN | TCP_RST))
		return 0;
	struct newflow n = {
		.key = key, .client = p->dst, .port = p->dport, .tick = flow_tick(),
		.state = FLOW_ESTABLISHED | FLOW_SCTP << FLOW_CLASS_SHIFT | (is_v6(p) ? FLOW_V6 : 0),
	};
	n.row = association_find(p, 1);
	const struct element *e = n.row ? element_row(n.row) : 0;
	if (!answers_from(e, &p->src, p->sport) || e->state < ELEMENT_DRAINING)
		return 0;
	n.service = e->service;
	return flow_store(&n) == FLOW_STORED ? n.service : 0;
}

#endif
