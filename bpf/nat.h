/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Rewriting one end of a packet in place, checksums by difference (RFC 1624). */
#ifndef WEIR_NAT_H
#define WEIR_NAT_H

#include "parse.h"

struct endpoint_addr {
	__be32 addr;
	__be16 port;
};

/* RFC 1624 equation 3: HC' = ~(~HC + ~m + m'). */
static __always_inline __u16 csum_update(__u16 check, __u32 sum)
{
	sum += (__u16)~check;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return ~sum;
}

static __always_inline __u32 csum_diff32(__be32 from, __be32 to)
{
	return (__u16)~from + (__u16)~(from >> 16) + (__u16)to + (__u16)(to >> 16);
}

static __always_inline __u32 csum_diff16(__be16 from, __be16 to)
{
	return (__u16)~from + to;
}

static __always_inline void nat_transport_csum(const struct packet *p, __u32 diff)
{
	if (p->tcp) {
		p->tcp->check = csum_update(p->tcp->check, diff);
	} else if (p->udp && p->udp->check) { /* 0: the sender computed none */
		__u16 check = csum_update(p->udp->check, diff);

		p->udp->check = check ? check : 0xffff;
	}
}

static __always_inline void nat_destination(const struct packet *p, const struct endpoint_addr *to)
{
	__u32 addr = csum_diff32(p->dst, to->addr);

	p->ip->check = csum_update(p->ip->check, addr);
	p->ip->daddr = to->addr;
	nat_transport_csum(p, addr + csum_diff16(p->dport, to->port));
	p->ports[1] = to->port;
}

static __always_inline void nat_source(const struct packet *p, const struct endpoint_addr *to)
{
	__u32 addr = csum_diff32(p->src, to->addr);

	p->ip->check = csum_update(p->ip->check, addr);
	p->ip->saddr = to->addr;
	nat_transport_csum(p, addr + csum_diff16(p->sport, to->port));
	p->ports[0] = to->port;
}

static __always_inline void decrement_ttl(struct iphdr *ip)
{
	/* TTL is the high byte of its 16-bit word. */
	ip->check = csum_update(ip->check, csum_diff16(bpf_htons(0x0100), 0));
	ip->ttl--;
}

#endif
