/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The flow table: which element a flow belongs to, and both directions of its NAT. */
#ifndef WEIR_FLOW_H
#define WEIR_FLOW_H

#include "maps.h"
#include "nat.h"
#include "parse.h"

#define FLOW_TICK_SHIFT 30 /* struct flow.seen counts 2^30 ns */

static __always_inline struct flow_key flow_key(const struct packet *p, enum flow_direction direction)
{
	struct flow_key key = {
		.src = p->src, .dst = p->dst, .sport = p->sport, .dport = p->dport,
		.protocol = p->protocol, .direction = direction,
	};
	return key;
}

static __always_inline __u32 flow_tick(void)
{
	return bpf_ktime_get_coarse_ns() >> FLOW_TICK_SHIFT;
}

/* Notes a packet of an existing flow. Writes only what changes, to leave the cache line alone. */
static __always_inline void flow_touch(struct flow *f, const struct packet *p, enum flow_direction direction)
{
	__u32 tick = flow_tick();

	if (f->seen != tick)
		f->seen = tick;
	if (!p->tcp)
		return;
	if (direction == FLOW_FORWARD && p->tcp->ack)
		f->client_ack = bpf_ntohl(p->tcp->ack_seq);
	/* A RST is believed until the flow goes on: anyone can send one that the other end ignores. */
	if (p->tcp->rst)
		f->state = FLOW_RESET;
	else if (p->tcp->fin && f->state != FLOW_RESET)
		f->state = FLOW_CLOSING;
	else if ((f->state == FLOW_SYN || f->state == FLOW_RESET) && !p->tcp->syn)
		f->state = FLOW_ESTABLISHED;
}

static __always_inline struct flow flow_new(const struct packet *p, __u32 element, const struct element *e)
{
	struct flow f = {
		.addr = e->addr, .port = e->port, .element = element, .generation = e->generation, .seen = flow_tick(),
		.state = p->tcp && p->tcp->syn ? FLOW_SYN : FLOW_ESTABLISHED,
		.client_ack = p->tcp && p->tcp->ack ? bpf_ntohl(p->tcp->ack_seq) : 0,
	};
	return f;
}

/* Claims the way back for this flow. 0: claimed; 1: the same client port already talks to this
 * element for another VIP, so the way back would be ambiguous; -1: the table took no entry. */
static __always_inline int flow_claim_return(const struct packet *p, const struct flow *f)
{
	struct flow_key key = {
		.src = f->addr, .dst = p->src, .sport = f->port, .dport = p->sport,
		.protocol = p->protocol, .direction = FLOW_RETURN,
	};
	struct flow back = *f;

	back.addr = p->dst;
	back.port = p->dport;
	back.client_ack = 0;
	if (!bpf_map_update_elem(&flows, &key, &back, BPF_NOEXIST))
		return 0;
	struct flow *old = bpf_map_lookup_elem(&flows, &key);
	if (!old)
		return -1;
	if ((old->addr != back.addr || old->port != back.port) && old->state != FLOW_CLOSING && old->state != FLOW_RESET)
		return 1;
	return bpf_map_update_elem(&flows, &key, &back, BPF_ANY) ? -1 : 0;
}

#endif
