/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Ethernet with up to two VLAN tags, IPv4 or IPv6, and the ports, once per packet. Every later
 * stage reads struct packet. */
#ifndef WEIR_PARSE_H
#define WEIR_PARSE_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "address.h"
#include "transport.h"
#include "types.h"

#define IP_DF 0x4000
#define IP_MF 0x2000
#define IP_OFFSET 0x1fff
#define IP6_MF 0x0001
#define IP6_OFFSET 0xfff8
#define MIN_AH 12 /* bytes: RFC 4302 2, without the integrity check value */
#define MAX_EXTENSIONS 6 /* of one packet; RFC 8200 4.1 recommends each at most once, one twice */

struct vlan_tag {
	__be16 tci;
	__be16 next; /* EtherType of what follows */
};

struct fragment_header {
	__u8 next;
	__u8 reserved;
	__be16 offset;
	__be32 id;
};

/* What the stages need of a packet: numbers only, so that they can be functions that are verified
 * once. The packet is read here, and written by carry.h and reply.h. */
struct packet {
	struct address src;
	struct address dst;
	__u64 v6;        /* 1: IPv6 */
	__u32 frame_len; /* bytes of the whole frame */
	__u32 seq;       /* TCP; of SCTP the verification tag */
	__u32 ack;
	__u32 id;        /* of a fragment, as it lies in the packet */
	__be16 sport;
	__be16 dport;
	__u16 ip_len;  /* bytes from the network header on, by itself */
	__u16 l4;      /* where the transport header begins, of any protocol; 0: a later fragment has none */
	__u16 payload; /* TCP: bytes behind the header, by the IP header's length */
	__u8 l3;       /* where the network header begins: behind the VLAN tags */
	__u8 protocol;
	__u8 fragment; /* FRAGMENT_* */
	__u8 whole;    /* the transport header is there, and its length fits */
	__u8 flags;    /* TCP_*, or what corresponds to them, when it is whole */
	__u8 ttl;
};

#define FRAGMENT_FIRST 1 /* ports are there, the rest of the packet is not */
#define FRAGMENT_LATER 2

static __always_inline int is_v6(const struct packet *p)
{
	return p->v6;
}

enum parsed {
	PARSED,           /* addresses and ports are known */
	PARSED_OTHER,     /* not IP, or a protocol without ports */
	PARSED_FRAGMENT,  /* a later fragment: no ports */
	PARSED_MALFORMED, /* truncated, or lengths that contradict each other */
	PARSED_UNREADABLE, /* the stack may find ports in it, and we do not */
};

static __always_inline int has_ports(__u8 protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP ||
	       protocol == IPPROTO_DCCP || protocol == IPPROTO_UDPLITE;
}

static __always_inline int is_tag(__be16 type)
{
	return type == bpf_htons(ETH_P_8021Q) || type == bpf_htons(ETH_P_8021AD);
}

static __always_inline int is_extension(__u8 protocol)
{
	return protocol == IPPROTO_HOPOPTS || protocol == IPPROTO_ROUTING || protocol == IPPROTO_DSTOPTS ||
	       protocol == IPPROTO_FRAGMENT || protocol == IPPROTO_AH;
}

/* UDP-Lite has the checksum's coverage instead of a length (RFC 3828 3.1): 0 is all of it. */
static __always_inline void parse_udp(struct packet *p, const struct udphdr *udp, void *end, __u32 l4_len)
{
	if ((void *)(udp + 1) > end)
		return;
	__u32 len = bpf_ntohs(udp->len);
	if (p->protocol == IPPROTO_UDPLITE && !len)
		len = l4_len;
	p->whole = len >= sizeof(*udp) && (len <= l4_len || p->fragment);
}

static __always_inline void parse_tcp(struct packet *p, const struct tcphdr *tcp, void *end, __u32 l4_len)
{
	if ((void *)(tcp + 1) > end)
		return;
	__u32 header = tcp->doff * 4;
	if (header < sizeof(*tcp) || header > l4_len)
		return;
	p->whole = 1;
	p->flags = ((const __u8 *)tcp)[13];
	p->seq = bpf_ntohl(tcp->seq);
	p->ack = bpf_ntohl(tcp->ack_seq);
	p->payload = l4_len - header;
}

/* A packet without a chunk, or with a part of one, is for its receiver to judge (RFC 9260 6.10). */
static __always_inline void parse_sctp(struct packet *p, const struct sctp_header *sctp, void *end, __u32 l4_len)
{
	const struct sctp_chunk *chunk = (void *)(sctp + 1);

	if ((void *)(sctp + 1) > end || l4_len < sizeof(*sctp))
		return;
	p->whole = 1;
	p->seq = bpf_ntohl(sctp->tag);
	if ((void *)(chunk + 1) <= end && l4_len >= sizeof(*sctp) + sizeof(*chunk))
		p->flags = sctp_flags(chunk->type);
}

static __always_inline void parse_dccp(struct packet *p, const struct dccp_header *dccp, void *end, __u32 l4_len)
{
	if ((void *)(dccp + 1) > end)
		return;
	__u32 header = dccp->offset * 4, least = sizeof(*dccp) + (dccp->type & 1 ? DCCP_LONGER : 0);
	if (header < least || header > l4_len)
		return;
	p->whole = 1;
	p->flags = dccp_flags(dccp->type >> 1 & 15);
}

/* SCTP and DCCP. A function of its own, which the verifier goes through once. */
__noinline int parse_other(struct xdp_md *ctx, struct packet *p, __u32 at, __u32 l4_len)
{
	void *l4 = (void *)(long)ctx->data + (at & 0x3fff), *end = (void *)(long)ctx->data_end;

	if (!p)
		return 0;
	if (p->protocol == IPPROTO_SCTP)
		parse_sctp(p, l4, end, l4_len);
	else
		parse_dccp(p, l4, end, l4_len);
	return p->whole;
}

static __always_inline enum parsed parse_ports(struct xdp_md *ctx, struct packet *p, __u32 at, __u32 l4_len)
{
	void *end = (void *)(long)ctx->data_end;
	__be16 *ports = (void *)(long)ctx->data + at;

	if (l4_len < 2 * sizeof(*ports) || (void *)(ports + 2) > end)
		return PARSED_MALFORMED;
	p->sport = ports[0];
	p->dport = ports[1];
	if (p->protocol == IPPROTO_TCP)
		parse_tcp(p, (void *)ports, end, l4_len);
	else if (p->protocol == IPPROTO_UDP || p->protocol == IPPROTO_UDPLITE)
		parse_udp(p, (void *)ports, end, l4_len);
	else
		parse_other(ctx, p, at, l4_len);
	return PARSED;
}

static __always_inline enum parsed parsed_later(struct packet *p)
{
	p->l4 = 0;
	p->fragment = FRAGMENT_LATER;
	return has_ports(p->protocol) ? PARSED_FRAGMENT : PARSED_OTHER;
}

static __always_inline enum parsed parse_v4(struct xdp_md *ctx, struct packet *p, __u32 l3)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct iphdr *ip = data + l3;

	if ((void *)(ip + 1) > end)
		return PARSED_MALFORMED;
	__u32 header = ip->ihl * 4, total = bpf_ntohs(ip->tot_len);
	if (ip->version != 4 || header < sizeof(*ip) || total < header || total > p->frame_len - l3)
		return PARSED_MALFORMED;

	p->src = address_v4(ip->saddr);
	p->dst = address_v4(ip->daddr);
	p->protocol = ip->protocol;
	p->ttl = ip->ttl;
	p->ip_len = total;
	p->l4 = l3 + header;
	p->id = ip->id;
	p->fragment = (ip->frag_off & bpf_htons(IP_MF)) != 0;
	if (ip->frag_off & bpf_htons(IP_OFFSET))
		return parsed_later(p);
	if (!has_ports(ip->protocol))
		return PARSED_OTHER;
	return parse_ports(ctx, p, l3 + header, total - header);
}

/* Where the network header begins behind VLAN tags, and its EtherType in the upper 16 bits; 0: truncated.
 * A function of its own, as skip_extensions: the verifier goes through what follows once, and not
 * once for each number of tags. */
__noinline __u32 skip_tags(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct vlan_tag *tag = data + sizeof(struct ethhdr);

	if ((void *)(tag + 1) > end)
		return 0;
	__be16 type = tag->next;
	if (!is_tag(type))
		return (__u32)type << 16 | (sizeof(struct ethhdr) + sizeof(*tag));
	tag++;
	if ((void *)(tag + 1) > end)
		return 0;
	return (__u32)tag->next << 16 | (sizeof(struct ethhdr) + 2 * sizeof(*tag));
}

#define SKIPPED_FIRST 0x1000000  /* a first fragment */
#define SKIPPED_LATER 0x2000000  /* a later one: no transport header */
#define SKIPPED_ROUTED 0x4000000 /* it has to go to other places before it is where it is sent to */
#define SKIPPED_ID(skipped) ((__u32)((skipped) >> 32)) /* of a fragment */

/* Goes through the extension headers behind an IPv6 header that begins at l3 (RFC 8200 4). Returns
 * where the transport header begins, its protocol in bits 16 to 23, and SKIPPED_*; 0: malformed. The
 * protocol is an extension's when there are too many. */
__noinline __u64 skip_extensions(struct xdp_md *ctx, __u32 l3)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ipv6hdr *ip6 = data + (l3 & 0x3fff);
	__u32 at = (l3 & 0x3fff) + sizeof(*ip6);
	__u64 flags = 0;

	if ((void *)(ip6 + 1) > end)
		return 0;
	__u8 next = ip6->nexthdr;
	for (int i = 0; i < MAX_EXTENSIONS && is_extension(next); i++) {
		struct fragment_header *f = data + (at & 0x3fff);
		__u32 size = sizeof(*f);

		if ((void *)(f + 1) > end) /* all have at least 8 bytes */
			return 0;
		__u8 len = ((__u8 *)f)[1];
		if (next == IPPROTO_FRAGMENT) {
			__u64 id = (__u64)f->id << 32;

			if (f->offset & bpf_htons(IP6_OFFSET))
				return id | flags | SKIPPED_LATER | f->next << 16 | (at + size);
			if (f->offset & bpf_htons(IP6_MF))
				flags |= id | SKIPPED_FIRST;
		} else if (next == IPPROTO_AH) {
			size = (len + 2) * 4;
			if (size < MIN_AH)
				return 0;
		} else {
			size = (len + 1) * 8;
			if (next == IPPROTO_ROUTING && ((__u8 *)f)[3]) /* segments left */
				flags |= SKIPPED_ROUTED;
		}
		next = f->next;
		at += size;
	}
	return flags | next << 16 | at;
}

/* The rest of a packet with extension headers that ends at whole. One that has to go to other places yet is
 * nobody's who is no router: its transport counts as not there. */
static __always_inline enum parsed parse_extended(struct xdp_md *ctx, struct packet *p, __u32 l3, __u32 whole)
{
	__u64 skipped = skip_extensions(ctx, l3);
	__u32 at = skipped & 0x3fff;

	if (!skipped || at > whole)
		return PARSED_MALFORMED;
	p->protocol = skipped >> 16;
	p->id = SKIPPED_ID(skipped);
	if (skipped & SKIPPED_LATER)
		return parsed_later(p);
	p->l4 = at;
	p->fragment = (skipped & SKIPPED_FIRST) != 0;
	if (!has_ports(p->protocol))
		return is_extension(p->protocol) ? PARSED_UNREADABLE : PARSED_OTHER;
	enum parsed parsed = parse_ports(ctx, p, at, whole - at);
	if (skipped & SKIPPED_ROUTED)
		p->whole = 0;
	return parsed;
}

static __always_inline enum parsed parse_v6(struct xdp_md *ctx, struct packet *p, __u32 l3)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ipv6hdr *ip6 = data + l3;
	__u32 at = l3 + sizeof(*ip6);

	if ((void *)(ip6 + 1) > end)
		return PARSED_MALFORMED;
	__u32 whole = at + bpf_ntohs(ip6->payload_len);
	if (ip6->version != 6 || whole > p->frame_len)
		return PARSED_MALFORMED;
	if (whole == at && ip6->nexthdr == IPPROTO_HOPOPTS) /* a jumbogram (RFC 2675 3): Linux takes the frame's length */
		return PARSED_UNREADABLE;

	p->v6 = 1;
	p->src = address_v6(&ip6->saddr);
	p->dst = address_v6(&ip6->daddr);
	p->protocol = ip6->nexthdr;
	p->ttl = ip6->hop_limit;
	p->ip_len = whole - l3;
	if (is_extension(p->protocol))
		return parse_extended(ctx, p, l3, whole);
	p->l4 = at;
	if (!has_ports(p->protocol))
		return PARSED_OTHER;
	return parse_ports(ctx, p, at, whole - at);
}

static __always_inline enum parsed parse(struct xdp_md *ctx, struct packet *p)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	__u32 l3 = sizeof(*eth);

	p->frame_len = end - data;
	if ((void *)(eth + 1) > end)
		return PARSED_MALFORMED;
	__be16 type = ((const __be16 *)eth)[ETH_ALEN]; /* at once, and not by bytes */
	if (is_tag(type)) {
		__u32 skipped = skip_tags(ctx);

		if (!skipped)
			return PARSED_MALFORMED;
		l3 = skipped & 0x1f;
		type = skipped >> 16;
		if (is_tag(type)) /* Linux takes off any number of VLAN 0 */
			return PARSED_UNREADABLE;
	}
	p->l3 = l3;
	if (type == bpf_htons(ETH_P_IP))
		return parse_v4(ctx, p, l3);
	if (type == bpf_htons(ETH_P_IPV6))
		return parse_v6(ctx, p, l3);
	return PARSED_OTHER;
}

#endif
