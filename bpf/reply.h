/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Answers to a TCP segment, made of the segment itself and sent back where it came from: bare IP
 * and TCP headers, never larger than what they answer. */
#ifndef WEIR_REPLY_H
#define WEIR_REPLY_H

#include "parse.h"
#include "plan.h"

#define REPLY_TTL 64

static __always_inline __u16 csum_fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

/* The ones' complement sum of 16-bit words, as they lie in memory. */
static __always_inline __u32 csum_words(const void *p, int bytes)
{
	const __u16 *words = p;
	__u32 sum = 0;

#pragma unroll
	for (int i = 0; i < bytes / 2; i++)
		sum += words[i];
	return sum;
}

/* The network header of an answer, from dst to src. */
static __always_inline void write_ip(struct iphdr *ip, const struct packet *p, __u8 protocol, __u16 payload)
{
	__builtin_memset(ip, 0, sizeof(*ip));
	ip->version = 4;
	ip->ihl = sizeof(*ip) / 4;
	ip->tot_len = bpf_htons(sizeof(*ip) + payload);
	ip->frag_off = bpf_htons(0x4000); /* DF */
	ip->ttl = REPLY_TTL;
	ip->protocol = protocol;
	ip->saddr = address_word(&p->dst);
	ip->daddr = address_word(&p->src);
	ip->check = csum_fold(csum_words(ip, sizeof(*ip)));
}

static __always_inline void write_ip6(struct ipv6hdr *ip6, const struct packet *p, __u8 protocol, __u16 payload)
{
	__builtin_memset(ip6, 0, sizeof(*ip6));
	ip6->version = 6;
	ip6->payload_len = bpf_htons(payload);
	ip6->nexthdr = protocol;
	ip6->hop_limit = REPLY_TTL;
	__builtin_memcpy(&ip6->saddr, &p->dst, sizeof(ip6->saddr));
	__builtin_memcpy(&ip6->daddr, &p->src, sizeof(ip6->daddr));
}

static __always_inline void write_tcp(struct tcphdr *tcp, const struct packet *p, const struct segment *s)
{
	__builtin_memset(tcp, 0, sizeof(*tcp));
	tcp->source = p->dport;
	tcp->dest = p->sport;
	tcp->seq = bpf_htonl(s->seq);
	tcp->ack_seq = bpf_htonl(s->ack);
	tcp->doff = sizeof(*tcp) / 4;
	((__u8 *)tcp)[13] = s->flags;
	__u32 pseudo = bpf_htons(IPPROTO_TCP) + bpf_htons(sizeof(*tcp));
	pseudo += is_v6(p) ? csum_words(&p->src, 16) + csum_words(&p->dst, 16) :
			  csum_words((__u8 *)&p->src + 12, 4) + csum_words((__u8 *)&p->dst + 12, 4);
	tcp->check = csum_fold(pseudo + csum_words(tcp, sizeof(*tcp)));
}

static __always_inline void swap_macs(struct ethhdr *eth)
{
	__u8 mac[ETH_ALEN];

	__builtin_memcpy(mac, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, mac, ETH_ALEN);
}

/* Turns the frame into the answer, in the VLAN that it came in. Returns 0, or -1 when it cannot
 * (then nothing was changed). A function of its own, which the verifier goes through once. */
__noinline int reply(struct xdp_md *ctx, const struct packet *p, const struct segment *s)
{
	if (!p || !s)
		return -1;
	__u32 l3 = p->l3 & 0x1f, headers = (is_v6(p) ? sizeof(struct ipv6hdr) : sizeof(struct iphdr)) + sizeof(struct tcphdr);

	if (bpf_xdp_adjust_tail(ctx, (int)(l3 + headers) - (int)p->frame_len))
		return -1;
	void *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = (void *)(long)ctx->data;
	if ((void *)(eth + 1) > end)
		return -1;
	swap_macs(eth);
	void *at = (void *)eth + l3;
	/* Made on the stack: the verifier does not follow sums over a packet behind a variable offset. */
	if (is_v6(p)) {
		struct {
			struct ipv6hdr ip6;
			struct tcphdr tcp;
		} made;

		if (at + sizeof(made) > end)
			return -1;
		write_ip6(&made.ip6, p, IPPROTO_TCP, sizeof(made.tcp));
		write_tcp(&made.tcp, p, s);
		__builtin_memcpy(at, &made, sizeof(made));
	} else {
		struct {
			struct iphdr ip;
			struct tcphdr tcp;
		} made;

		if (at + sizeof(made) > end)
			return -1;
		write_ip(&made.ip, p, IPPROTO_TCP, sizeof(made.tcp));
		write_tcp(&made.tcp, p, s);
		__builtin_memcpy(at, &made, sizeof(made));
	}
	return 0;
}

/* The RST that a host without a matching connection would send (RFC 9293 3.10.7.1). */
static __always_inline struct segment reset_of(const struct packet *p)
{
	struct segment s = {};

	if (p->flags & TCP_ACK) {
		s.seq = p->ack;
		s.flags = TCP_RST;
	} else {
		s.ack = p->seq + p->payload + !!(p->flags & TCP_SYN) + !!(p->flags & TCP_FIN);
		s.flags = TCP_RST | TCP_ACK;
	}
	return s;
}

/* The verdict of a packet that is answered, or otherwise's when it cannot be. */
static __always_inline enum verdict answer(struct plan *plan, const struct segment *s, enum verdict verdict, enum verdict otherwise)
{
	plan->answer = *s;
	plan->otherwise = otherwise;
	return verdict;
}

static __always_inline enum verdict answer_reset(struct plan *plan, const struct packet *p, enum verdict verdict, enum verdict otherwise)
{
	struct segment s = reset_of(p);

	return answer(plan, &s, verdict, otherwise);
}

#endif
