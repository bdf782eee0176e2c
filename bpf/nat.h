/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Rewriting one end of a packet in place, checksums by difference (RFC 1624; SCTP: crc.h). */
#ifndef WEIR_NAT_H
#define WEIR_NAT_H

#include "crc.h"
#include "parse.h"
#include "plan.h"

/* A difference of checksums: the sum of 32-bit words, to be folded; 2^32 of them fit. */
typedef __u64 csum_diff;

static __always_inline csum_diff csum_diff32(__be32 from, __be32 to)
{
	return (csum_diff)(__u32)~from + to;
}

static __always_inline csum_diff csum_diff16(__be16 from, __be16 to)
{
	return (csum_diff)(__u16)~from + to;
}

static __always_inline csum_diff csum_diff_address(const struct address *from, const struct address *to, int v6)
{
	csum_diff sum = csum_diff32(from->half[1] >> 32, to->half[1] >> 32);

	if (v6)
		sum += csum_diff32(from->half[1], to->half[1]) + csum_diff32(from->half[0] >> 32, to->half[0] >> 32) +
		       csum_diff32(from->half[0], to->half[0]);
	return sum;
}

/* The checksum field of a sum. */
static __always_inline __u16 csum_finish(csum_diff sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* RFC 1624 equation 3: HC' = ~(~HC + ~m + m'). */
static __always_inline __u16 csum_update(__u16 check, csum_diff sum)
{
	return csum_finish(sum + (__u16)~check);
}

static __always_inline void nat_checksum(__u16 *check, csum_diff diff)
{
	*check = csum_update(*check, diff);
}

/* UDP's checksum of 0 says that the sender computed none, so that one that is 0 is sent as 0xffff. UDP-Lite
 * has always one, and never 0 (RFC 3828 3.1): a packet that has 0 all the same stays as bad as it is. */
static __always_inline void nat_udp_checksum(__u16 *check, csum_diff diff)
{
	if (!*check)
		return;
	nat_checksum(check, diff);
	if (!*check)
		*check = 0xffff;
}

/* Where a packet's headers are; ip or ip6 by its family. */
struct headers {
	struct ethhdr *eth;
	struct iphdr *ip;
	struct ipv6hdr *ip6;
	union {
		__be16 *ports; /* source, destination */
		struct tcphdr *tcp;
		struct udphdr *udp;
		struct dccp_header *dccp;
	};
};

/* Finds the headers of a packet that was parsed with a whole transport header; 0 never, but the
 * verifier does not know that. */
static __always_inline int headers_of(struct xdp_md *ctx, const struct packet *p, struct headers *h)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	__u32 l3 = p->l3 & 0x1f, l4 = p->l4 & 0x3fff;

	h->eth = data;
	h->ip = data + l3;
	h->ip6 = data + l3;
	h->ports = data + l4;
	return (void *)(h->eth + 1) <= end && (void *)(h->ip + 1) <= end && (void *)(h->udp + 1) <= end;
}

/* Makes SCTP's checksum that of the packet with another port; it covers no address (RFC 9260 6.8). 0: it
 * depends on how long the whole is that it covers, which a first fragment does not tell. A function of its
 * own, so that what it needs is not on everybody's stack. */
__noinline int nat_sctp(struct xdp_md *ctx, const struct packet *p, int source, __u32 port)
{
	if (!p || p->fragment == FRAGMENT_LATER)
		return 1;
	struct sctp_header *sctp = (void *)(long)ctx->data + (p->l4 & 0x3fff);
	__u32 diff = (__u16)(port ^ (source ? p->sport : p->dport));

	if (!diff)
		return 1;
	if (p->fragment || (void *)(sctp + 1) > (void *)(long)ctx->data_end)
		return 0;
	sctp->check ^= crc_diff(source ? diff : diff << 16, p->ip_len - (p->l4 - p->l3));
	return 1;
}

/* Rewrites the source or the destination: the address in the network header, and the port. 0: the
 * packet is shorter than it was parsed, which it is not. */
static __always_inline int nat_rewrite(struct xdp_md *ctx, const struct packet *p, struct headers *h, int source, const struct address *to, __be16 port)
{
	void *end = (void *)(long)ctx->data_end;
	const struct address *from = source ? &p->src : &p->dst;
	csum_diff diff = csum_diff_address(from, to, is_v6(p));

	if (is_v6(p)) {
		if ((void *)(h->ip6 + 1) > end)
			return 0;
		__builtin_memcpy(source ? &h->ip6->saddr : &h->ip6->daddr, to, sizeof(*to));
	} else {
		nat_checksum(&h->ip->check, diff);
		*(source ? &h->ip->saddr : &h->ip->daddr) = address_word(to);
	}
	if (p->fragment == FRAGMENT_LATER) /* the first has the ports, and the checksum over all of them */
		return 1;
	diff += csum_diff16(source ? p->sport : p->dport, port);
	if (p->protocol == IPPROTO_TCP) {
		if ((void *)(h->tcp + 1) > end)
			return 0;
		nat_checksum(&h->tcp->check, diff);
	} else if (is_datagram(p->protocol)) {
		nat_udp_checksum(&h->udp->check, diff);
	} else if (p->protocol == IPPROTO_DCCP) { /* header and pseudo-header are always covered (RFC 4340 9.1) */
		nat_checksum(&h->dccp->check, diff);
	} /* of SCTP nat_sctp has done it */
	h->ports[source ? 0 : 1] = port;
	return 1;
}

static __always_inline void decrement_ttl(const struct packet *p, struct headers *h)
{
	if (is_v6(p)) {
		h->ip6->hop_limit--;
		return;
	}
	/* TTL is the high byte of its 16-bit word. One less there is one more in the sum's complement. */
	__u32 check = h->ip->check + bpf_htons(0x0100);
	h->ip->check = check + (check >= 0xffff);
	h->ip->ttl--;
}

#endif
