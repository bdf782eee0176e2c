/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* ICMP errors of ours: a packet that does not fit the next hop is answered, so that its sender
 * learns the path's MTU (RFC 1191, RFC 8201). */
#ifndef WEIR_ICMP_H
#define WEIR_ICMP_H

#include "budget.h"
#include "parse.h"
#include "reply.h"

#define ICMP_UNREACHABLE 3 /* RFC 792 */
#define ICMP_FRAGMENTATION_NEEDED 4
#define ICMPV6_PACKET_TOO_BIG 2 /* RFC 4443 */
#define IPV6_MIN_MTU 1280 /* RFC 8200 5 */

/* How much of the packet an error quotes. Constants, because the verifier has to know. */
#define QUOTE_V4 548       /* an error has at most 576 bytes (RFC 1812 4.3.2.3) */
#define QUOTE_V4_SHORT 68  /* the longest header and 8 bytes; no link's MTU is below this (RFC 791 3.2) */
#define QUOTE_V6 1232      /* an error has at most 1280 bytes (RFC 4443 3.2) */
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

static __always_inline int fragmentation_needed(struct xdp_md *ctx, const struct packet *p, __u16 mtu, const int quote)
{
	struct {
		struct iphdr ip;
		struct icmp_header icmp;
	} made = {};
	void *at = make_room(ctx, p, sizeof(made), quote);

	if (!at || at + sizeof(made) + quote > (void *)(long)ctx->data_end)
		return 0;
	write_ip(&made.ip, p, IPPROTO_ICMP, sizeof(made.icmp) + quote);
	made.icmp.type = ICMP_UNREACHABLE;
	made.icmp.code = ICMP_FRAGMENTATION_NEEDED;
	made.icmp.rest = bpf_htonl(mtu);
	__u64 sum = (__u64)csum_quote(at + sizeof(made), quote) + csum_words(&made.icmp, sizeof(made.icmp));
	made.icmp.check = csum_fold((sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32));
	__builtin_memcpy(at, &made, sizeof(made));
	return 1;
}

static __always_inline int packet_too_big(struct xdp_md *ctx, const struct packet *p, __u16 mtu)
{
	struct {
		struct ipv6hdr ip6;
		struct icmp_header icmp;
	} made = {};
	const __u16 len = sizeof(made.icmp) + QUOTE_V6;
	void *at = make_room(ctx, p, sizeof(made), QUOTE_V6);

	if (!at || at + sizeof(made) + QUOTE_V6 > (void *)(long)ctx->data_end)
		return 0;
	write_ip6(&made.ip6, p, IPPROTO_ICMPV6, len);
	made.icmp.type = ICMPV6_PACKET_TOO_BIG;
	/* Less than this no sender accepts (RFC 8201 4); a tunnel's entry says it all the same (RFC 2473 7.1). */
	made.icmp.rest = bpf_htonl(mtu < IPV6_MIN_MTU ? IPV6_MIN_MTU : mtu);
	__u64 sum = (__u64)csum_quote(at + sizeof(made), QUOTE_V6) + csum_words(&made.icmp, sizeof(made.icmp)) +
		    csum_words(&p->src, 16) + csum_words(&p->dst, 16) + bpf_htons(IPPROTO_ICMPV6) + bpf_htons(len);
	made.icmp.check = csum_fold((sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32));
	__builtin_memcpy(at, &made, sizeof(made));
	return 1;
}

/* Turns a packet that does not fit into the error that says so, from the address that the packet was
 * to. Returns enum verdict. A function of its own, which the verifier goes through once. */
__noinline int too_big(struct xdp_md *ctx, const struct packet *p, __u32 mtu)
{
	__u32 zero = 0;
	const struct parameters *set = bpf_map_lookup_elem(&settings, &zero);
	int told;

	if (!p || !set || p->protocol == IPPROTO_ICMP || p->protocol == IPPROTO_ICMPV6) /* no errors about errors */
		return VERDICT_STEER_OVERSIZE;
	if (p->l3 > sizeof(struct ethhdr) + 2 * sizeof(struct vlan_tag) || !is_one_host(&p->src, is_v6(p)))
		return VERDICT_STEER_OVERSIZE;
	/* RFC 4443 2.4(f). Before anything is changed. */
	if (p->ip_len < (is_v6(p) ? QUOTE_V6 : QUOTE_V4_SHORT) || !spend(set, BUDGET_TOO_BIG, bpf_ktime_get_coarse_ns()))
		return VERDICT_STEER_OVERSIZE;
	if (is_v6(p))
		told = packet_too_big(ctx, p, mtu);
	else if (p->ip_len >= QUOTE_V4)
		told = fragmentation_needed(ctx, p, mtu, QUOTE_V4);
	else
		told = fragmentation_needed(ctx, p, mtu, QUOTE_V4_SHORT);
	return told ? VERDICT_STEER_TOO_BIG : VERDICT_STEER_OVERSIZE;
}

#endif
