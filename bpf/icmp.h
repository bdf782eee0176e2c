/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* ICMP errors of ours: a packet that does not fit the next hop is answered, so that its sender
 * learns the path's MTU (RFC 1191, RFC 8201), and one whose flow's element is lost. */
#ifndef WEIR_ICMP_H
#define WEIR_ICMP_H

#include "budget.h"
#include "parse.h"
#include "reply.h"

#define ICMP_UNREACHABLE 3 /* RFC 792 */
#define ICMP_FRAGMENTATION_NEEDED 4
#define ICMP_PORT_UNREACHABLE 3
#define ICMPV6_UNREACHABLE 1 /* RFC 4443 */
#define ICMPV6_PORT_UNREACHABLE 4
#define ICMPV6_PACKET_TOO_BIG 2 /* RFC 4443 */
#define IPV6_MIN_MTU 1280 /* RFC 8200 5 */

/* How much of the packet an error quotes. Constants, because the verifier has to know. */
#define QUOTE_V4 548       /* an error has at most 576 bytes (RFC 1812 4.3.2.3) */
#define QUOTE_V4_SHORT 68  /* the longest header and 8 bytes; no link's MTU is below this (RFC 791 3.2) */
#define QUOTE_V4_BARE 28   /* without options */
#define QUOTE_V6 1232      /* an error has at most 1280 bytes (RFC 4443 3.2) */
#define QUOTE_V6_SHORT 128 /* with extension headers of 80 bytes */
#define QUOTE_V6_BARE 48   /* without */
#define CSUM_MOST 512      /* bytes that one call of bpf_csum_diff sums up, before Linux 6.13 */

/* Of both families, <linux/icmp.h> does not compile here. */
struct icmp_header {
	__u8 type;
	__u8 code;
	__u16 check;
	__be32 rest; /* the next hop's MTU: in IPv4 the lower half (RFC 1191 4) */
};

/* The sum over quoted bytes, as many as is known when compiling: a multiple of 4. */
static __always_inline __u32 csum_quote(void *at, const int bytes)
{
	__s64 sum = 0;

#pragma unroll
	for (int from = 0; from < QUOTE_V6; from += CSUM_MOST) {
		if (from < bytes)
			sum = bpf_csum_diff(0, 0, at + from, bytes - from < CSUM_MOST ? bytes - from : CSUM_MOST, sum);
	}
	return sum;
}

/* Whether an error may be sent there: nothing but the address of one host (RFC 1122 3.2.2, RFC 4443 2.4(e)). */
static __always_inline int is_one_host(const struct address *a, int v6)
{
	if (v6)
		return (a->half[0] || a->half[1]) && *(const __u8 *)a != 0xff;
	__u8 first = bpf_ntohl(address_word(a)) >> 24;
	return first && first != 127 && first < 224;
}

/* Makes room for an error's headers, of so many bytes, before so much of the packet. The frame's own
 * header comes to its new place, on its way back. */
static __always_inline void *make_room(struct xdp_md *ctx, const struct packet *p, int headers, int quote)
{
	struct {
		struct ethhdr eth;
		struct vlan_tag tags[2];
	} frame;

	if (bpf_xdp_adjust_head(ctx, -headers) || bpf_xdp_adjust_tail(ctx, p->l3 + quote - (int)p->frame_len))
		return 0;
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	if (data + sizeof(struct ipv6hdr) + sizeof(struct icmp_header) + sizeof(frame) > end)
		return 0;
	__builtin_memcpy(&frame, data + headers, sizeof(frame));
	swap_macs(&frame.eth);
	__builtin_memcpy(data, &frame, sizeof(frame)); /* without tags a part of it is written over */
	return data + (p->l3 & 0x1f);
}

/* Turns the packet into an error that says this about it, from the address that the packet was to. */
static __always_inline int error_v4(struct xdp_md *ctx, const struct packet *p, struct icmp_header says, const int quote)
{
	struct {
		struct iphdr ip;
		struct icmp_header icmp;
	} made = { .icmp = says };
	void *at = make_room(ctx, p, sizeof(made), quote);

	if (!at || at + sizeof(made) + quote > (void *)(long)ctx->data_end)
		return 0;
	write_ip(&made.ip, p, IPPROTO_ICMP, sizeof(made.icmp) + quote);
	__u64 sum = (__u64)csum_quote(at + sizeof(made), quote) + csum_words(&made.icmp, sizeof(made.icmp));
	made.icmp.check = csum_fold((sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32));
	__builtin_memcpy(at, &made, sizeof(made));
	return 1;
}

static __always_inline int error_v6(struct xdp_md *ctx, const struct packet *p, struct icmp_header says, const int quote)
{
	struct {
		struct ipv6hdr ip6;
		struct icmp_header icmp;
	} made = { .icmp = says };
	const __u16 len = sizeof(made.icmp) + quote;
	void *at = make_room(ctx, p, sizeof(made), quote);

	if (!at || at + sizeof(made) + quote > (void *)(long)ctx->data_end)
		return 0;
	write_ip6(&made.ip6, p, IPPROTO_ICMPV6, len);
	__u64 sum = (__u64)csum_quote(at + sizeof(made), quote) + csum_words(&made.icmp, sizeof(made.icmp)) +
		    csum_words(&p->src, 16) + csum_words(&p->dst, 16) + bpf_htons(IPPROTO_ICMPV6) + bpf_htons(len);
	made.icmp.check = csum_fold((sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32));
	__builtin_memcpy(at, &made, sizeof(made));
	return 1;
}

/* Whether an error may be sent about the packet, with so much of it quoted at least. Takes its place in
 * the budget of errors (RFC 4443 2.4(f)), before anything is changed. */
static __always_inline int may_tell(const struct parameters *set, const struct packet *p, int least)
{
	if (p->protocol == IPPROTO_ICMP || p->protocol == IPPROTO_ICMPV6) /* no errors about errors */
		return 0;
	if (p->l3 > sizeof(struct ethhdr) + 2 * sizeof(struct vlan_tag) || !is_one_host(&p->src, is_v6(p)))
		return 0;
	return p->ip_len >= least && spend(set, BUDGET_ERRORS, bpf_ktime_get_coarse_ns());
}

/* Turns a packet that does not fit into the error that says so, from the address that the packet was
 * to. Returns enum verdict. A function of its own, which the verifier goes through once. */
__noinline int too_big(struct xdp_md *ctx, const struct packet *p, __u32 mtu)
{
	__u32 zero = 0;
	const struct parameters *set = bpf_map_lookup_elem(&settings, &zero);
	struct icmp_header says = {};
	int told;

	if (!p || !set || !may_tell(set, p, is_v6(p) ? QUOTE_V6 : QUOTE_V4_SHORT))
		return VERDICT_STEER_OVERSIZE;
	if (is_v6(p)) {
		says.type = ICMPV6_PACKET_TOO_BIG;
		/* Less than this no sender accepts (RFC 8201 4); a tunnel's entry says it all the same (RFC 2473 7.1). */
		says.rest = bpf_htonl(mtu < IPV6_MIN_MTU ? IPV6_MIN_MTU : mtu);
		told = error_v6(ctx, p, says, QUOTE_V6);
	} else {
		says.type = ICMP_UNREACHABLE;
		says.code = ICMP_FRAGMENTATION_NEEDED;
		says.rest = bpf_htonl(mtu);
		told = p->ip_len >= QUOTE_V4 ? error_v4(ctx, p, says, QUOTE_V4) : error_v4(ctx, p, says, QUOTE_V4_SHORT);
	}
	return told ? VERDICT_STEER_TOO_BIG : VERDICT_STEER_OVERSIZE;
}

/* Of what is quoted, so much must be there: the network headers and 8 bytes of the transport's (RFC 792). */
static __always_inline int least_quote(const struct packet *p, int least, int more)
{
	return p->l4 - p->l3 + 8 <= least ? least : more;
}

/* Turns a packet whose flow's element is lost into the error that nobody listens at its port. Returns enum
 * verdict. A function of its own, which the verifier goes through once. */
__noinline int port_unreachable(struct xdp_md *ctx, const struct packet *p)
{
	__u32 zero = 0;
	const struct parameters *set = bpf_map_lookup_elem(&settings, &zero);
	struct icmp_header says = {};
	int told;

	if (!p || !set)
		return VERDICT_STEER_LOST;
	int least = is_v6(p) ? least_quote(p, QUOTE_V6_BARE, QUOTE_V6_SHORT) : least_quote(p, QUOTE_V4_BARE, QUOTE_V4_SHORT);
	if (p->l4 - p->l3 + 8 > QUOTE_V6_SHORT || !may_tell(set, p, least))
		return VERDICT_STEER_LOST;
	if (is_v6(p)) {
		says.type = ICMPV6_UNREACHABLE;
		says.code = ICMPV6_PORT_UNREACHABLE;
		if (p->ip_len >= QUOTE_V6)
			told = error_v6(ctx, p, says, QUOTE_V6);
		else if (p->ip_len >= QUOTE_V6_SHORT)
			told = error_v6(ctx, p, says, QUOTE_V6_SHORT);
		else
			told = error_v6(ctx, p, says, QUOTE_V6_BARE);
	} else {
		says.type = ICMP_UNREACHABLE;
		says.code = ICMP_PORT_UNREACHABLE;
		if (p->ip_len >= QUOTE_V4)
			told = error_v4(ctx, p, says, QUOTE_V4);
		else if (p->ip_len >= QUOTE_V4_SHORT)
			told = error_v4(ctx, p, says, QUOTE_V4_SHORT);
		else
			told = error_v4(ctx, p, says, QUOTE_V4_BARE);
	}
	return told ? VERDICT_STEER_UNREACHABLE : VERDICT_STEER_LOST;
}

#endif
