/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* ICMP errors of others: one about a packet of a flow goes to the end that sent this packet, and quotes
 * it as it was sent (RFC 5508 4.2). Nothing is created or renewed by an error. Whether to believe it is
 * for the end to decide, which knows its sequence numbers (RFC 5927): we only see that the flow is there. */
#ifndef WEIR_QUOTE_H
#define WEIR_QUOTE_H

#include "endpoint.h"
#include "flow.h"
#include "icmp.h"
#include "nat.h"
#include "parse.h"
#include "plan.h"
#include "steer.h"

#define QUOTED_LEAST 8 /* bytes of its transport header that a quoted packet always has (RFC 792) */

static __always_inline int is_icmp(const struct packet *p)
{
	return p->protocol == (is_v6(p) ? IPPROTO_ICMPV6 : IPPROTO_ICMP);
}

/* Destination unreachable, time exceeded, parameter problem, packet too big. Redirects are for the next hop. */
static __always_inline int is_error(__u8 type, int v6)
{
	return v6 ? type >= 1 && type <= 4 : type == ICMP_UNREACHABLE || type == 11 || type == 12;
}

/* The network header of the quoted packet, which begins at the offset. Fills in the ends as those of an
 * answer to it. Returns where the ports are; 0: there are none. */
static __always_inline __u32 quoted_v4(struct xdp_md *ctx, struct packet *answer, __u32 at)
{
	struct iphdr *ip = (void *)(long)ctx->data + at;

	if ((void *)(ip + 1) > (void *)(long)ctx->data_end || ip->version != 4 || ip->ihl < 5)
		return 0;
	if (ip->frag_off & bpf_htons(IP_OFFSET))
		return 0;
	answer->src = address_v4(ip->daddr);
	answer->dst = address_v4(ip->saddr);
	answer->protocol = ip->protocol;
	return at + ip->ihl * 4;
}

static __always_inline __u32 quoted_v6(struct xdp_md *ctx, struct packet *answer, __u32 at)
{
	struct ipv6hdr *ip6 = (void *)(long)ctx->data + at;

	if ((void *)(ip6 + 1) > (void *)(long)ctx->data_end || ip6->version != 6)
		return 0;
	answer->v6 = 1;
	answer->src = address_v6(&ip6->daddr);
	answer->dst = address_v6(&ip6->saddr);
	answer->protocol = ip6->nexthdr;
	if (!is_extension(answer->protocol))
		return at + sizeof(*ip6);
	__u64 skipped = skip_extensions(ctx, at);
	if (!skipped || skipped & SKIPPED_LATER)
		return 0;
	answer->protocol = skipped >> 16;
	return skipped & 0x3fff;
}

/* Reads what an error quotes; 0: it is no error, or quotes no packet with ports. An error that quotes
 * an error is none either. */
static __always_inline int parse_quoted(struct xdp_md *ctx, const struct packet *p, struct plan *plan, struct packet *answer)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 l4 = p->l4 & 0x3fff;
	struct icmp_header *icmp = data + l4;

	if ((void *)(icmp + 1) > end || !is_error(icmp->type, is_v6(p)))
		return 0;
	__u32 at = l4 + sizeof(*icmp);
	at = is_v6(p) ? quoted_v6(ctx, answer, at) : quoted_v4(ctx, answer, at);
	__be16 *ports = data + (at & 0x3fff);
	if (!at || !has_ports(answer->protocol) || at + QUOTED_LEAST > p->l3 + p->ip_len || (void *)(ports + 2) > end)
		return 0;
	answer->sport = ports[1];
	answer->dport = ports[0];
	plan->quoted = at;
	plan->quoted_protocol = answer->protocol;
	return 1;
}

/* The element that sent what the error is about. One that is lost is told nothing. */
static __always_inline enum verdict error_to_element(const struct parameters *set, const struct packet *answer, struct plan *plan, __u16 service)
{
	const struct service *s = service_row(service);

	if (!s || !service_is(s, &answer->dst, answer->dport, answer->protocol))
		return VERDICT_NOT_OURS;
	__u64 key = tuple_hash(set->tuple_key, &answer->src, answer->sport, answer->protocol, is_v6(answer));
	struct found f = flow_forward(key, service);
	const struct element *e = f.flow ? element_row(WORD_ELEMENT(f.word)) : 0;
	if (!e || e->state < ELEMENT_DRAINING)
		return VERDICT_NOT_OURS;
	forward(plan, key, WORD_ELEMENT(f.word));
	return VERDICT_STEER_ICMP;
}

/* An ICMP message: an error about a packet of a flow takes the way that an answer to this packet
 * would. Returns enum verdict. A function of its own, which the verifier goes through once. */
__noinline int steer_error(struct xdp_md *ctx, const struct packet *p, struct plan *plan)
{
	__u32 zero = 0;
	const struct parameters *set = bpf_map_lookup_elem(&settings, &zero);
	struct packet answer = {};

	if (!p || !plan || !set || p->fragment || !parse_quoted(ctx, p, plan, &answer) || !same_address(&p->dst, &answer.dst))
		return VERDICT_NOT_OURS;
	__u64 to = tuple_hash(set->tuple_key, &answer.dst, answer.dport, answer.protocol, is_v6(&answer));
	const struct endpoint_slot *at = endpoint_find(to, 0);
	if (at)
		return at->kind == ENDPOINT_SERVICE ? error_to_element(set, &answer, plan, at->row) : VERDICT_NOT_OURS;
	if (!endpoint_find(tuple_hash(set->tuple_key, &answer.src, answer.sport, answer.protocol, is_v6(&answer)), 1))
		return VERDICT_NOT_OURS;
	struct found f = flow_return(&answer, to);
	if (!f.flow)
		return VERDICT_NOT_OURS;
	plan->row = WORD_SERVICE(f.word);
	plan->back = 1;
	return VERDICT_STEER_ICMP;
}

/* Changes the quoted transport's checksum, where it has one in what is quoted, by the difference. SCTP's
 * covers no address, and of its packet too little is quoted to tell. Returns the difference that this
 * makes in turn. */
static __always_inline csum_diff nat_quoted_checksum(__be16 *ports, void *end, __u8 protocol, __u32 left, csum_diff diff)
{
	__u16 *check = ports + (protocol == IPPROTO_TCP ? 8 : 3);

	if (protocol == IPPROTO_SCTP || (protocol == IPPROTO_TCP && left < 18) || (void *)(check + 1) > end)
		return 0;
	__u16 before = *check;
	if (is_datagram(protocol))
		nat_udp_checksum(check, diff);
	else
		nat_checksum(check, diff);
	return csum_diff16(before, *check);
}

/* Rewrites an end of the error, and the other end of the packet that it quotes, to the same address:
 * source and quoted destination on the way back to the client, who knows nobody but the VIP, else
 * destination and quoted source. 0: the packet is shorter than it was parsed, which it is not. A
 * function of its own, which the verifier goes through once. */
__noinline int nat_quoted(struct xdp_md *ctx, const struct packet *p, const struct plan *plan, const struct address *to, __u32 port)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;

	if (!p || !plan || !to)
		return 0;
	int back = plan->back;
	void *outer = data + (p->l3 & 0x1f), *l4 = data + (p->l4 & 0x3fff), *inner = l4 + sizeof(struct icmp_header);
	__be16 *ports = data + (plan->quoted & 0x3fff);
	const struct address *from = back ? &p->src : &p->dst;
	csum_diff diff, moved, all;

	if ((void *)(ports + QUOTED_LEAST / 2) > end)
		return 0;
	if (is_v6(p)) {
		struct ipv6hdr *ip6 = outer, *quoted = inner;

		if ((void *)(ip6 + 1) > end || (void *)(quoted + 1) > end)
			return 0;
		struct in6_addr *at = back ? &quoted->daddr : &quoted->saddr;
		struct address was = address_v6(at);
		moved = csum_diff_address(&was, to, 1);
		all = moved + csum_diff_address(from, to, 1); /* of the pseudo-header (RFC 4443 2.3) */
		__builtin_memcpy(at, to, sizeof(*to));
		__builtin_memcpy(back ? &ip6->saddr : &ip6->daddr, to, sizeof(*to));
	} else {
		struct iphdr *ip = outer, *quoted = inner;

		if ((void *)(ip + 1) > end || (void *)(quoted + 1) > end)
			return 0;
		__be32 *at = back ? &quoted->daddr : &quoted->saddr;
		__u16 before = quoted->check;
		moved = csum_diff32(*at, address_word(to));
		nat_checksum(&quoted->check, moved);
		all = moved + csum_diff16(before, quoted->check);
		*at = address_word(to);
		nat_checksum(&ip->check, csum_diff_address(from, to, 0));
		*(back ? &ip->saddr : &ip->daddr) = address_word(to);
	}
	__be16 *at = back ? ports + 1 : ports;
	diff = csum_diff16(*at, port);
	*at = port;
	all += diff + nat_quoted_checksum(ports, end, plan->quoted_protocol, p->l3 + p->ip_len - plan->quoted, moved + diff);
	struct icmp_header *icmp = l4;
	if ((void *)(icmp + 1) > end)
		return 0;
	nat_checksum(&icmp->check, all);
	return 1;
}

#endif
