/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Sends a packet that is rewritten on its way. */
#ifndef WEIR_CARRY_H
#define WEIR_CARRY_H

#include "encap.h"
#include "endpoint.h"
#include "flow.h"
#include "maps.h"
#include "nat.h"
#include "parse.h"
#include "plan.h"
#include "quote.h"

#define AF_INET 2
#define AF_INET6 10

/* What is to become of a packet that is carried. What lies in maps stays there: a copy costs more than
 * all that is done with it. */
struct way {
	const struct address *to; /* of its other end */
	const struct hop *hop;
	struct outer outer; /* of tunnels */
	__be16 port;
	__u8 mode;  /* enum mode */
	__u8 v6;    /* the family that the hop is of */
	__u16 room; /* bytes that a tunnel adds */
};

/* Fills in the outer header; 0: we have no address of that family to send from. */
static __always_inline int tunnel_way(const struct element *e, const struct plan *plan, struct way *way)
{
	__u32 zero = 0;
	const struct parameters *set = bpf_map_lookup_elem(&settings, &zero);

	if (!set)
		return 0;
	way->v6 = !is_v4_mapped(&e->addr);
	way->outer.v6 = way->v6;
	way->outer.set = set;
	way->outer.dst = &e->addr;
	way->outer.port = e->mode == MODE_GUE ? e->tunnel_port : 0;
	way->outer.spread = plan->spread;
	way->room = outer_size(&way->outer);
	return way->v6 ? set->tunnel_v6.half[0] != 0 : set->tunnel_v4 != 0;
}

/* The way as the rows have it; enum verdict, FORWARD when there is one. */
static __always_inline enum verdict way_of(const struct packet *p, const struct plan *plan, int source, struct way *way)
{
	way->v6 = is_v6(p);
	if (source) {
		const struct service *s = service_row(plan->row);

		if (!s || s->kind != ENDPOINT_SERVICE || s->mode != MODE_NAT)
			return VERDICT_NOT_OURS;
		way->to = &s->addr;
		way->port = s->port;
		return VERDICT_STEER_FORWARD;
	}
	const struct element *e = element_row(plan->row);

	if (!e)
		return VERDICT_NOT_OURS;
	way->to = &e->addr;
	way->port = e->port;
	way->mode = e->mode;
	way->hop = &e->hop;
	return is_tunnel(e->mode) && !tunnel_way(e, plan, way) ? VERDICT_STEER_NO_ROUTE : VERDICT_STEER_FORWARD;
}

/* Writes both ends of the packet as it will be. */
static __always_inline void ask_about(struct bpf_fib_lookup *fib, const struct packet *p, const struct way *way, int source)
{
	int tunnel = is_tunnel(way->mode);

	fib->l4_protocol = !tunnel ? p->protocol : way->outer.port ? IPPROTO_UDP : is_v6(p) ? IPPROTO_IPV6 : IPPROTO_IPIP;
	if (way->v6) {
		fib->family = AF_INET6;
		__builtin_memcpy(fib->ipv6_src, tunnel ? &way->outer.set->tunnel_v6 : source ? way->to : &p->src, sizeof(fib->ipv6_src));
		__builtin_memcpy(fib->ipv6_dst, source ? &p->dst : way->to, sizeof(fib->ipv6_dst));
	} else {
		fib->family = AF_INET;
		fib->ipv4_src = tunnel ? way->outer.set->tunnel_v4 : address_word(source ? way->to : &p->src);
		fib->ipv4_dst = address_word(source ? &p->dst : way->to);
	}
}

/* Asks the kernel for the next hop and its MTU; enum verdict. The look-up comes before any change, so that
 * a packet without a way stays as it was. A neighbour that is not resolved has no MTU: 0. A function of its
 * own, which is seldom needed, so that what it needs is not on everybody's stack. */
__noinline int ask_hop(struct xdp_md *ctx, const struct packet *p, const struct plan *plan, int source, struct hop *hop)
{
	struct bpf_fib_lookup fib = {};
	struct way way = {};

	if (!p || !plan || !hop || way_of(p, plan, source, &way) != VERDICT_STEER_FORWARD)
		return VERDICT_STEER_NO_ROUTE;
	fib.ifindex = ctx->ingress_ifindex;
	ask_about(&fib, p, &way, source);
	int ret = bpf_fib_lookup(ctx, &fib, sizeof(fib), 0); /* of no length: whether it fits is for fits() to say */
	hop->ifindex = fib.ifindex;
	__builtin_memcpy(hop->dmac, fib.dmac, ETH_ALEN);
	__builtin_memcpy(hop->smac, fib.smac, ETH_ALEN);
	hop->mtu = fib.mtu_result;
	const struct address *dst = source ? &p->dst : way.to;
	hop->router = way.v6 ? !same_address((const struct address *)fib.ipv6_dst, dst) : fib.ipv4_dst != address_word(dst);
	if (ret == BPF_FIB_LKUP_RET_SUCCESS)
		return VERDICT_STEER_FORWARD;
	return ret == BPF_FIB_LKUP_RET_NO_NEIGH ? VERDICT_STEER_NEIGHBOR : VERDICT_STEER_NO_ROUTE;
}

static __always_inline const struct uplinks *uplinks_row(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&uplinks, &zero);
}

/* The way to a client, 0: not known. */
static __always_inline const struct hop *uplink_hop(const struct uplinks *u, const struct packet *p)
{
	if (is_v6(p)) {
		for (int i = 0; i < MAX_UPLINKS; i++) {
			const struct uplink *at = &u->v6[i];

			if ((p->dst.half[0] & at->mask.half[0]) == at->prefix.half[0] && (p->dst.half[1] & at->mask.half[1]) == at->prefix.half[1])
				return &at->hop;
		}
		return 0;
	}
	for (int i = 0; i < MAX_UPLINKS; i++)
		if ((p->dst.half[1] & u->v4[i].mask.half[1]) == u->v4[i].prefix.half[1])
			return &u->v4[i].hop;
	return 0;
}

static __always_inline int is_fresh(const struct uplinks *u)
{
	return u && (__s32)(u->until - (__u32)(bpf_jiffies64() >> tick_shift)) >= 0;
}

/* Writes the Ethernet header of a packet that leaves without VLAN tags, and makes room for so many
 * bytes behind it. */
static __always_inline int address_frame(struct xdp_md *ctx, const struct packet *p, const struct hop *hop, int v6, __u32 room)
{
	int shrink = p->l3 - (int)sizeof(struct ethhdr) - (int)room;

	if (shrink && bpf_xdp_adjust_head(ctx, shrink))
		return 0;
	struct ethhdr *eth = (void *)(long)ctx->data;
	if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
		return 0;
	/* The addresses lie in struct hop as in the frame. Of bytes the compiler would write one at a time. */
	const __u32 *addresses = (const void *)hop->dmac;
	__u32 *frame = (void *)eth;
	frame[0] = addresses[0];
	frame[1] = addresses[1];
	frame[2] = addresses[2];
	((__be16 *)eth)[ETH_ALEN] = v6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP);
	return 1;
}

static __always_inline enum verdict fits(const struct packet *p, const struct way *way)
{
	return p->ip_len + way->room <= way->hop->mtu ? VERDICT_STEER_FORWARD : VERDICT_STEER_TOO_BIG;
}

/* Finds the way; enum verdict, FORWARD for both directions when there is one. A hop that the kernel has to
 * be asked for is in asked. */
static __always_inline enum verdict find_way(struct xdp_md *ctx, const struct packet *p, const struct plan *plan, int source, struct way *way, struct hop *asked)
{
	const struct uplinks *u = uplinks_row();
	enum verdict found = way_of(p, plan, source, way);

	if (found != VERDICT_STEER_FORWARD)
		return found;
	if (p->ttl <= 1)
		return VERDICT_STEER_TTL;
	if (source && u)
		way->hop = uplink_hop(u, p);
	if (!way->hop || !way->hop->ifindex || !is_fresh(u)) {
		found = ask_hop(ctx, p, plan, source, asked);
		way->hop = asked;
		if (found != VERDICT_STEER_FORWARD)
			return found;
	}
	if (way->mode == MODE_DSR && way->hop->router) /* which would send a packet to the VIP back to us */
		return VERDICT_STEER_NO_ROUTE;
	return fits(p, way);
}

/* Sends the packet, which is changed but for its frame; 0: it has no room in front. */
static __always_inline int send(struct xdp_md *ctx, const struct packet *p, const struct way *way, struct headers *h)
{
	__u8 class = is_tunnel(way->mode) ? traffic_class(p, h) : 0;

	decrement_ttl(p, h);
	if (!address_frame(ctx, p, way->hop, way->v6, way->room))
		return 0;
	return !is_tunnel(way->mode) || write_outer(ctx, p, &way->outer, class);
}

/* What becomes of a packet that does not fit: its sender is told, but for an IPv4 packet that may be
 * fragmented (RFC 791 2.3). Under NAT the stack does that, as a router; it knows no VIP, so that of
 * the other modes nobody does, and a sender that allows it does not listen to what we could tell it. */
static __always_inline enum verdict too_big_for(struct xdp_md *ctx, const struct packet *p, struct plan *plan, const struct way *way)
{
	struct headers h;

	plan->mtu = way->hop->mtu - way->room;
	if (is_v6(p) || (headers_of(ctx, p, &h) && h.ip->frag_off & bpf_htons(IP_DF)))
		return VERDICT_STEER_TOO_BIG;
	return way->mode == MODE_NAT ? VERDICT_STEER_NEIGHBOR : VERDICT_STEER_OVERSIZE;
}

static __always_inline int is_carried(enum verdict verdict)
{
	return verdict == VERDICT_STEER_FORWARD || verdict == VERDICT_STEER_RETURN || verdict == VERDICT_STEER_ICMP;
}

/* Carries out a verdict for which is_carried; returns what became of the packet. When its next hop is
 * not behind an interface of ours, the packet is not the next hop's yet, so that the stack takes it for
 * its own and forwards it. */
static __always_inline enum verdict carry(struct xdp_md *ctx, const struct packet *p, struct plan *plan, enum verdict verdict, int *action)
{
	int source = verdict == VERDICT_STEER_RETURN || (verdict == VERDICT_STEER_ICMP && plan->back);
	struct way way = {};
	struct hop asked = {};
	struct headers h;
	enum verdict found = find_way(ctx, p, plan, source, &way, &asked);

	if (found == VERDICT_STEER_TOO_BIG)
		found = too_big_for(ctx, p, plan, &way);
	if (found != VERDICT_STEER_FORWARD && found != VERDICT_STEER_NEIGHBOR)
		return found;
	if (found == VERDICT_STEER_NEIGHBOR && way.mode != MODE_NAT) /* the stack does not know the VIP */
		return VERDICT_STEER_NO_ROUTE;
	if (way.mode == MODE_NAT && p->protocol == IPPROTO_SCTP && !nat_sctp(ctx, p, source, way.port))
		return VERDICT_STEER_FRAGMENT;
	if (!headers_of(ctx, p, &h))
		return VERDICT_STEER_MALFORMED;
	if (way.mode == MODE_NAT && !(verdict == VERDICT_STEER_ICMP ? nat_quoted(ctx, p, plan, way.to, way.port) :
								     nat_rewrite(ctx, p, &h, source, way.to, way.port)))
		return VERDICT_STEER_MALFORMED;
	if (found == VERDICT_STEER_NEIGHBOR)
		return VERDICT_STEER_NEIGHBOR;
	*action = way.hop->ifindex == ctx->ingress_ifindex ? XDP_TX : bpf_redirect_map(&tx_ports, way.hop->ifindex, XDP_PASS);
	if (*action == XDP_PASS)
		return way.mode == MODE_NAT ? VERDICT_STEER_NEIGHBOR : VERDICT_STEER_NO_ROUTE;
	return send(ctx, p, &way, &h) ? verdict : VERDICT_STEER_MALFORMED;
}

#endif
