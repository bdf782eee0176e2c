/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Tunnels to elements: a packet goes as it is in another one, IP in IP (RFC 2003 4in4, RFC 2473 6in6
 * and 4in6, RFC 4213 6in4) or in UDP. The outer packet's family is the element's address'.
 *
 * UDP is variant 1 of Generic UDP Encapsulation (draft-ietf-intarea-gue 4): the IP packet follows the
 * UDP header at once, and its version says which one it is. It is the one form that Linux's gue and
 * fou, and Katran's receivers all take, and 4 bytes shorter than variant 0.
 *
 * The UDP checksum is 0. Over IPv6 that is for tunnels (RFC 6935 5, RFC 6936): what is inside has its
 * own, and a receiver takes only packets inside that are for its VIPs. */
#ifndef WEIR_ENCAP_H
#define WEIR_ENCAP_H

#include "nat.h"
#include "parse.h"

#define TUNNEL_TTL 64
#define ENTROPY_PORTS 0xc000 /* and 14 bits of the flow's hash: the dynamic ports (RFC 6335 6) */
#define LABELLED 0x10000     /* a flow label of 0 says that there is none (RFC 6437 2) */

static __always_inline int is_tunnel(__u8 mode)
{
	return mode >= MODE_IPIP;
}

/* A tunnel's outer header, but for what follows from the packet inside. The addresses stay in the maps. */
struct outer {
	const struct parameters *set; /* where it comes from */
	const struct address *dst;
	__be16 port;  /* MODE_GUE: destination port, 0: no UDP */
	__u16 spread; /* of the plan */
	__u8 v6;
};

static __always_inline __u32 outer_size(const struct outer *o)
{
	return (o->v6 ? sizeof(struct ipv6hdr) : sizeof(struct iphdr)) + (o->port ? sizeof(struct udphdr) : 0);
}

/* The traffic class of the packet inside: DSCP, and ECN as RFC 6040 4.1 has it in normal mode. */
static __always_inline __u8 traffic_class(const struct packet *p, const struct headers *h)
{
	const __u8 *at = (const __u8 *)h->ip;

	return is_v6(p) ? (__u8)(at[0] << 4) | at[1] >> 4 : at[1];
}

/* An atomic datagram: it is never fragmented, so that its identification need not differ from others'
 * (RFC 6864 4.1). Fragments of an outer packet would reach no program at the element. */
static __always_inline void write_outer4(struct iphdr *ip, const struct outer *o, __u8 protocol, __u8 class, __u32 len)
{
	__be32 src = o->set->tunnel_v4, dst = address_word(o->dst);
	__be16 head = bpf_htons(0x4500 | class), total = bpf_htons(len), df = bpf_htons(IP_DF);
	__be16 next = bpf_htons(TUNNEL_TTL << 8 | protocol);

	((__be16 *)ip)[0] = head;
	ip->tot_len = total;
	ip->id = 0;
	ip->frag_off = df;
	ip->ttl = TUNNEL_TTL;
	ip->protocol = protocol;
	ip->check = csum_finish((csum_diff)src + dst + head + total + df + next);
	ip->saddr = src;
	ip->daddr = dst;
}

/* The flow label lets networks tell flows apart that do not look for ports (RFC 6438). */
static __always_inline void write_outer6(struct ipv6hdr *ip6, const struct outer *o, __u8 protocol, __u8 class, __u32 len)
{
	*(__be32 *)ip6 = bpf_htonl(6 << 28 | class << 20 | LABELLED | o->spread);
	ip6->payload_len = bpf_htons(len - sizeof(*ip6));
	ip6->nexthdr = protocol;
	ip6->hop_limit = TUNNEL_TTL;
	__builtin_memcpy(&ip6->saddr, &o->set->tunnel_v6, sizeof(ip6->saddr));
	__builtin_memcpy(&ip6->daddr, o->dst, sizeof(ip6->daddr));
}

static __always_inline void write_udp(struct udphdr *udp, const struct outer *o, __u32 len)
{
	udp->source = bpf_htons(ENTROPY_PORTS | o->spread);
	udp->dest = o->port;
	udp->len = bpf_htons(len);
	udp->check = 0;
}

/* Writes the outer header into the room that was made for it in front of the packet inside. 0 never,
 * but the verifier does not know that: the packet inside has an IP header at least. */
static __always_inline int write_outer(struct xdp_md *ctx, const struct packet *p, const struct outer *o, __u8 class)
{
	void *at = (void *)(long)ctx->data + sizeof(struct ethhdr), *end = (void *)(long)ctx->data_end;
	__u8 protocol = o->port ? IPPROTO_UDP : is_v6(p) ? IPPROTO_IPV6 : IPPROTO_IPIP;
	__u32 len = p->ip_len + outer_size(o);

	if (!o->dst || !o->set) /* Linux 6.1 does not remember that they are there when the mode is a tunnel's */
		return 0;
	if (o->v6) {
		if (at + sizeof(struct ipv6hdr) + sizeof(struct udphdr) > end)
			return 0;
		write_outer6(at, o, protocol, class, len);
		at += sizeof(struct ipv6hdr);
		len -= sizeof(struct ipv6hdr);
	} else {
		if (at + sizeof(struct iphdr) + sizeof(struct udphdr) > end)
			return 0;
		write_outer4(at, o, protocol, class, len);
		at += sizeof(struct iphdr);
		len -= sizeof(struct iphdr);
	}
	if (o->port)
		write_udp(at, o, len);
	return 1;
}

#endif
