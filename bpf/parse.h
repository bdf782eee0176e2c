/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Ethernet, IPv4 and the ports, once per packet. Every later stage reads struct packet. */
#ifndef WEIR_PARSE_H
#define WEIR_PARSE_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "types.h"

#define IP_MF 0x2000
#define IP_OFFSET 0x1fff

/* What the stages need of a packet. The pointers are valid until bpf_xdp_adjust_*; tcp or
 * udp is set when that header is whole, and neither otherwise. */
struct packet {
	struct ethhdr *eth;
	struct iphdr *ip;
	__be16 *ports; /* source, destination: at the same place in every protocol that has them */
	struct tcphdr *tcp;
	struct udphdr *udp;
	__be32 src;
	__be32 dst;
	__be16 sport;
	__be16 dport;
	__u8 protocol;
	__u8 fragment;   /* the first of several: ports are there, the rest is not */
	__u16 frame_len; /* bytes of the whole frame */
	__u16 payload;   /* TCP: bytes behind the header, by the IP header's length */
};

enum parsed {
	PARSED,           /* addresses and ports are known */
	PARSED_OTHER,     /* not IPv4, or a protocol without ports */
	PARSED_FRAGMENT,  /* a later fragment: no ports */
	PARSED_MALFORMED, /* truncated, or lengths that contradict each other */
};

static __always_inline int has_ports(__u8 protocol)
{
	return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP ||
	       protocol == IPPROTO_DCCP || protocol == IPPROTO_UDPLITE;
}

/* Sets tcp or udp, when the header is whole and its length fits the datagram. */
static __always_inline void parse_transport(struct packet *p, void *l4, void *end, __u32 l4_len)
{
	if (p->protocol == IPPROTO_TCP) {
		struct tcphdr *tcp = l4;

		if ((void *)(tcp + 1) > end)
			return;
		__u32 header = tcp->doff * 4;
		if (header < sizeof(*tcp) || header > l4_len)
			return;
		p->tcp = tcp;
		p->payload = l4_len - header;
	} else if (p->protocol == IPPROTO_UDP) {
		struct udphdr *udp = l4;

		if ((void *)(udp + 1) > end)
			return;
		__u32 len = bpf_ntohs(udp->len);
		if (len < sizeof(*udp) || len > l4_len)
			return;
		p->udp = udp;
	}
}

static __always_inline enum parsed parse(struct xdp_md *ctx, struct packet *p)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = (void *)(eth + 1);

	p->frame_len = end - data;
	if ((void *)(eth + 1) > end)
		return PARSED_MALFORMED;
	if (eth->h_proto != bpf_htons(ETH_P_IP))
		return PARSED_OTHER;
	if ((void *)(ip + 1) > end)
		return PARSED_MALFORMED;
	__u32 header = ip->ihl * 4, total = bpf_ntohs(ip->tot_len);
	if (ip->version != 4 || header < sizeof(*ip) || total < header || (void *)ip + total > end)
		return PARSED_MALFORMED;

	p->eth = eth;
	p->ip = ip;
	p->src = ip->saddr;
	p->dst = ip->daddr;
	p->protocol = ip->protocol;
	if (!has_ports(ip->protocol))
		return PARSED_OTHER;
	if (ip->frag_off & bpf_htons(IP_OFFSET))
		return PARSED_FRAGMENT;
	p->fragment = (ip->frag_off & bpf_htons(IP_MF)) != 0;

	__be16 *ports = (void *)ip + header;
	if (total < header + 2 * sizeof(*ports) || (void *)(ports + 2) > end)
		return PARSED_MALFORMED;
	p->ports = ports;
	p->sport = ports[0];
	p->dport = ports[1];
	parse_transport(p, ports, end, total - header);
	return PARSED;
}

#endif
