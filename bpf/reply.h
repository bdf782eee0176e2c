/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Answers to a TCP segment, made of the segment itself and sent back where it came from:
 * 40 bytes of IPv4 and TCP without options, never larger than what it answers. */
#ifndef WEIR_REPLY_H
#define WEIR_REPLY_H

#include "parse.h"

#define REPLY_TTL 64
#define TCP_FLAG_BYTE_SYN 0x02
#define TCP_FLAG_BYTE_RST 0x04
#define TCP_FLAG_BYTE_ACK 0x10

struct segment {
	__u32 seq;
	__u32 ack;
	__u8 flags; /* TCP_FLAG_BYTE_* */
};

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

static __always_inline void write_ip(struct iphdr *ip, __be32 src, __be32 dst)
{
	__builtin_memset(ip, 0, sizeof(*ip));
	ip->version = 4;
	ip->ihl = sizeof(*ip) / 4;
	ip->tot_len = bpf_htons(sizeof(*ip) + sizeof(struct tcphdr));
	ip->frag_off = bpf_htons(0x4000); /* DF */
	ip->ttl = REPLY_TTL;
	ip->protocol = IPPROTO_TCP;
	ip->saddr = src;
	ip->daddr = dst;
	ip->check = csum_fold(csum_words(ip, sizeof(*ip)));
}

static __always_inline void write_tcp(struct tcphdr *tcp, __be16 sport, __be16 dport, const struct segment *s, const struct iphdr *ip)
{
	__builtin_memset(tcp, 0, sizeof(*tcp));
	tcp->source = sport;
	tcp->dest = dport;
	tcp->seq = bpf_htonl(s->seq);
	tcp->ack_seq = bpf_htonl(s->ack);
	tcp->doff = sizeof(*tcp) / 4;
	((__u8 *)tcp)[13] = s->flags;
	__u32 pseudo = csum_words(&ip->saddr, 8) + bpf_htons(IPPROTO_TCP) + bpf_htons(sizeof(*tcp));
	tcp->check = csum_fold(pseudo + csum_words(tcp, sizeof(*tcp)));
}

/* Turns the frame into the answer. Returns 0, or -1 when it cannot (then nothing was changed). */
static __always_inline int reply(struct xdp_md *ctx, const struct packet *p, const struct segment *s)
{
	const int want = sizeof(struct ethhdr) + sizeof(struct iphdr) + sizeof(struct tcphdr);

	if (bpf_xdp_adjust_tail(ctx, want - (int)p->frame_len))
		return -1;
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);
	struct tcphdr *tcp = (void *)(ip + 1);
	if ((void *)(tcp + 1) > end)
		return -1;

	__u8 mac[ETH_ALEN];
	__builtin_memcpy(mac, eth->h_source, ETH_ALEN);
	__builtin_memcpy(eth->h_source, eth->h_dest, ETH_ALEN);
	__builtin_memcpy(eth->h_dest, mac, ETH_ALEN);
	write_ip(ip, p->dst, p->src);
	write_tcp(tcp, p->dport, p->sport, s, ip);
	return 0;
}

/* The RST that a host without a matching connection would send (RFC 9293 3.10.7.1). */
static __always_inline int reply_reset(struct xdp_md *ctx, const struct packet *p)
{
	struct segment s = {};

	if (p->tcp->ack) {
		s.seq = bpf_ntohl(p->tcp->ack_seq);
		s.flags = TCP_FLAG_BYTE_RST;
	} else {
		s.ack = bpf_ntohl(p->tcp->seq) + p->payload + p->tcp->syn + p->tcp->fin;
		s.flags = TCP_FLAG_BYTE_RST | TCP_FLAG_BYTE_ACK;
	}
	return reply(ctx, p, &s);
}

#endif
