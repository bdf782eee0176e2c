/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Steering: a client's packet to its flow's element, an element's packet back to the client. */
#ifndef WEIR_STEER_H
#define WEIR_STEER_H

#include "flow.h"
#include "maps.h"
#include "nat.h"
#include "parse.h"
#include "reply.h"
#include "siphash.h"

#define AF_INET 2
#define SELECT_TRIES 8 /* slots looked at for an active element whose way back is free */

/* Finds the next hop of the packet as it will be. The look-up comes before any change, so that a
 * packet without a way stays as it was. */
static __always_inline enum verdict next_hop(struct xdp_md *ctx, const struct packet *p, __be32 src, __be32 dst,
					     struct bpf_fib_lookup *fib)
{
	fib->family = AF_INET;
	fib->l4_protocol = p->protocol;
	fib->tot_len = bpf_ntohs(p->ip->tot_len);
	fib->ipv4_src = src;
	fib->ipv4_dst = dst;
	fib->ifindex = ctx->ingress_ifindex;
	if (p->ip->ttl <= 1)
		return VERDICT_STEER_TTL;
	switch (bpf_fib_lookup(ctx, fib, sizeof(*fib), 0)) {
	case BPF_FIB_LKUP_RET_SUCCESS:
		return VERDICT_STEER_FORWARD;
	case BPF_FIB_LKUP_RET_NO_NEIGH:
		return VERDICT_STEER_NEIGHBOR;
	default:
		return VERDICT_STEER_NO_ROUTE;
	}
}

/* Sends the rewritten packet to its next hop, by whether that is behind an interface of ours. If
 * not, the packet is not the next hop's yet, so that the stack takes it for its own and forwards it. */
static __always_inline int send(const struct packet *p, const struct bpf_fib_lookup *fib)
{
	if (bpf_redirect_map(&tx_ports, fib->ifindex, XDP_PASS) != XDP_REDIRECT)
		return 0;
	decrement_ttl(p->ip);
	__builtin_memcpy(p->eth->h_dest, fib->dmac, ETH_ALEN);
	__builtin_memcpy(p->eth->h_source, fib->smac, ETH_ALEN);
	return 1;
}

static __always_inline enum verdict forward(struct xdp_md *ctx, const struct packet *p, const struct flow *f)
{
	struct endpoint_addr to = { .addr = f->addr, .port = f->port };
	struct bpf_fib_lookup fib = {};
	enum verdict verdict = next_hop(ctx, p, p->src, to.addr, &fib);

	if (verdict != VERDICT_STEER_FORWARD && verdict != VERDICT_STEER_NEIGHBOR)
		return verdict;
	nat_destination(p, &to);
	if (verdict == VERDICT_STEER_NEIGHBOR || !send(p, &fib))
		return VERDICT_STEER_NEIGHBOR;
	return VERDICT_STEER_FORWARD;
}

static __always_inline enum verdict give_back(struct xdp_md *ctx, const struct packet *p, const struct flow *f)
{
	struct endpoint_addr vip = { .addr = f->addr, .port = f->port };
	struct bpf_fib_lookup fib = {};
	enum verdict verdict = next_hop(ctx, p, vip.addr, p->dst, &fib);

	if (verdict != VERDICT_STEER_FORWARD && verdict != VERDICT_STEER_NEIGHBOR)
		return verdict;
	nat_source(p, &vip);
	if (verdict == VERDICT_STEER_NEIGHBOR || !send(p, &fib))
		return VERDICT_STEER_NEIGHBOR;
	return VERDICT_STEER_RETURN;
}

/* The element in the given slot of the service's table, by its index; 0: none. */
static __always_inline __u32 selected(__u32 service, __u64 hash)
{
	__u32 slot = ((hash & 0xffffffff) * SELECTION_SLOTS) >> 32;
	void *table = bpf_map_lookup_elem(&selections, &service);

	if (!table)
		return 0;
	__u32 *element = bpf_map_lookup_elem(table, &slot);
	return element ? *element : 0;
}

static __always_inline __u64 flow_hash(const struct packet *p)
{
	__u32 zero = 0;
	const struct parameters *set = bpf_map_lookup_elem(&settings, &zero);

	if (!set)
		return 0;
	return siphash16(set->select_key, (__u64)p->src << 32 | p->dst,
			 (__u64)p->sport << 32 | (__u64)p->dport << 16 | p->protocol);
}

static __always_inline enum verdict no_element(struct xdp_md *ctx, const struct packet *p)
{
	if (!p->tcp)
		return VERDICT_STEER_NO_ELEMENT;
	return reply_reset(ctx, p) ? VERDICT_STEER_NO_ELEMENT : VERDICT_STEER_REFUSED;
}

/* A flow that the table does not know: choose, remember both ways, send. A TCP segment in the
 * middle of a connection is chosen for like a SYN: after a loss of the table most such flows find
 * their element again, and the others are reset by the element they reach. */
static __always_inline enum verdict steer_new(struct xdp_md *ctx, const struct packet *p, __u32 service)
{
	struct flow_key key = flow_key(p, FLOW_FORWARD);
	__u64 hash = flow_hash(p);
	int conflict = 0;

	if (p->tcp && p->tcp->rst)
		return VERDICT_STEER_STRAY;
	for (int i = 0; i < SELECT_TRIES; i++, hash = hash >> 13 | hash << 51) {
		__u32 element = selected(service, hash);
		struct element *e = element ? bpf_map_lookup_elem(&elements, &element) : 0;

		if (!e || e->state != ELEMENT_ACTIVE) /* lost since the table was made */
			continue;
		struct flow f = flow_new(p, element, e);
		int claimed = flow_claim_return(p, &f);
		if (claimed < 0)
			return VERDICT_STEER_TABLE_FULL;
		if (claimed == 0) {
			if (bpf_map_update_elem(&flows, &key, &f, BPF_ANY))
				return VERDICT_STEER_TABLE_FULL;
			return forward(ctx, p, &f);
		}
		conflict = 1;
	}
	return conflict ? VERDICT_STEER_NAT_CONFLICT : no_element(ctx, p);
}

/* The element of the flow is gone: tell the client, at once and with a number that it accepts. */
static __always_inline enum verdict steer_lost(struct xdp_md *ctx, const struct packet *p, struct flow *f)
{
	f->state = FLOW_RESET;
	if (!p->tcp || p->tcp->rst)
		return VERDICT_STEER_LOST;
	return reply_reset(ctx, p) ? VERDICT_STEER_LOST : VERDICT_STEER_RESET;
}

/* Whether a SYN on a known flow begins another connection that may choose anew: its old element
 * takes no new ones. A SYN that is merely sent again stays where the first one went. */
static __always_inline int begins_anew(const struct packet *p, const struct flow *f, __u8 element_state)
{
	if (element_state == ELEMENT_ACTIVE)
		return 0;
	if (!p->tcp) /* UDP has no connection: a datagram for a lost element may open a new flow */
		return element_state < ELEMENT_DRAINING;
	if (!p->tcp->syn || p->tcp->ack)
		return 0;
	return element_state < ELEMENT_DRAINING || f->state != FLOW_SYN;
}

static __always_inline __u8 element_state(const struct flow *f)
{
	struct element *e = bpf_map_lookup_elem(&elements, &f->element);

	return e && e->generation == f->generation ? e->state : ELEMENT_FREE;
}

static __always_inline enum verdict steer_service(struct xdp_md *ctx, const struct packet *p, __u32 service)
{
	struct flow_key key = flow_key(p, FLOW_FORWARD);

	if (p->fragment)
		return VERDICT_FRAGMENT;
	if (!p->tcp && !p->udp)
		return VERDICT_STEER_MALFORMED;
	struct flow *f = bpf_map_lookup_elem(&flows, &key);
	if (!f)
		return steer_new(ctx, p, service);
	__u8 state = element_state(f);
	if (begins_anew(p, f, state))
		return steer_new(ctx, p, service);
	if (state < ELEMENT_DRAINING)
		return steer_lost(ctx, p, f);
	if (p->tcp && p->tcp->syn && !p->tcp->ack && f->state >= FLOW_CLOSING)
		return steer_new(ctx, p, service);
	flow_touch(f, p, FLOW_FORWARD);
	return forward(ctx, p, f);
}

static __always_inline enum verdict steer_return(struct xdp_md *ctx, const struct packet *p)
{
	struct flow_key key = flow_key(p, FLOW_RETURN);
	struct flow *f;

	if (p->fragment)
		return VERDICT_FRAGMENT;
	if (!p->tcp && !p->udp)
		return VERDICT_NOT_OURS;
	f = bpf_map_lookup_elem(&flows, &key);
	if (!f)
		return VERDICT_NOT_OURS;
	flow_touch(f, p, FLOW_RETURN);
	return give_back(ctx, p, f);
}

#endif
