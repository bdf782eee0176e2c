//go:build ignore
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The element's end of tunnels (encap.h): takes packets out that come to an address of this host and
 * are for a VIP that it serves, and leaves them and everything else to the stack. Doubt passes.
 *
 * A program of its own, which needs nothing of the gateway's. It runs on whole packets as well as on
 * those in fragments of memory; only headers are looked at. */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "address.h"
#include "nat.h"

#define MAX_VIPS 1024
#define MAX_LOCALS 64

/* Set when the program is loaded. */
const volatile __be16 gue_port = 0; /* 0: IP in IP is taken, and no UDP */

/* What became of a packet; each is counted once. */
enum receipt {
	RECEIPT_OTHER,     /* PASS: in no tunnel to this host */
	RECEIPT_TAKEN,     /* PASS: what was inside */
	RECEIPT_STRANGE,   /* PASS: in a tunnel to this host, but not for a VIP of ours */
	RECEIPT_MALFORMED, /* PASS: lengths that contradict each other */
	RECEIPT_CONGESTED, /* DROP: congestion was met, and what is inside cannot tell its sender (RFC 6040 4.2) */
	RECEIPT_MAX,
};

/* Written when the program is loaded. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_VIPS);
	__type(key, struct address);
	__type(value, __u8);
} vips SEC(".maps");

/* The addresses that tunnels to this host end at. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MAX_LOCALS);
	__type(key, struct address);
	__type(value, __u8);
} locals SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, RECEIPT_MAX);
	__type(key, __u32);
	__type(value, __u64);
} receipts SEC(".maps");

/* A tunnel's packet as far as it is known. */
struct tunnel {
	struct address dst;
	__u32 at;   /* where the rest begins: behind the outer headers that were read */
	__u32 len;  /* bytes of the rest, by the headers */
	__u8 class; /* of the outer packet */
	__u8 next;  /* protocol of the rest */
};

/* The outer header must be good, or a bit that was damaged brings the packet to the wrong host. With
 * options or in fragments no gateway of ours sends. */
static __always_inline enum receipt open_v4(struct xdp_md *ctx, struct tunnel *t)
{
	struct iphdr *ip = (void *)(long)ctx->data + sizeof(struct ethhdr);

	if ((void *)(ip + 1) > (void *)(long)ctx->data_end)
		return RECEIPT_MALFORMED;
	if (*(__u8 *)ip != 0x45 || ip->frag_off & bpf_htons(IP_MF | IP_OFFSET))
		return RECEIPT_OTHER;
	__u32 total = bpf_ntohs(ip->tot_len);
	if (total < sizeof(*ip) || sizeof(struct ethhdr) + total > bpf_xdp_get_buff_len(ctx))
		return RECEIPT_MALFORMED;
	csum_diff sum = 0;
#pragma unroll
	for (int i = 0; i < (int)sizeof(*ip) / 2; i++)
		sum += ((__u16 *)ip)[i];
	if (csum_finish(sum))
		return RECEIPT_MALFORMED;
	t->dst = address_v4(ip->daddr);
	t->at = sizeof(struct ethhdr) + sizeof(*ip);
	t->len = total - sizeof(*ip);
	t->class = ip->tos;
	t->next = ip->protocol;
	return RECEIPT_TAKEN;
}

static __always_inline enum receipt open_v6(struct xdp_md *ctx, struct tunnel *t)
{
	struct ipv6hdr *ip6 = (void *)(long)ctx->data + sizeof(struct ethhdr);

	if ((void *)(ip6 + 1) > (void *)(long)ctx->data_end)
		return RECEIPT_MALFORMED;
	t->len = bpf_ntohs(ip6->payload_len);
	t->at = sizeof(struct ethhdr) + sizeof(*ip6);
	if (ip6->version != 6 || t->at + t->len > bpf_xdp_get_buff_len(ctx))
		return RECEIPT_MALFORMED;
	t->dst = address_v6(&ip6->daddr);
	t->class = (__u8)(((__u8 *)ip6)[0] << 4) | ((__u8 *)ip6)[1] >> 4;
	t->next = ip6->nexthdr;
	return RECEIPT_TAKEN;
}

/* Goes behind the UDP header and, if it is variant 0, a GUE header without flags and extensions
 * (draft-ietf-intarea-gue 3.1). A checksum would have to be verified over all of the packet: those
 * that have one are the stack's. */
static __always_inline enum receipt open_udp(struct xdp_md *ctx, struct tunnel *t)
{
	struct udphdr *udp = (void *)(long)ctx->data + (t->at & 0x7f);
	__u8 *gue = (void *)(udp + 1);

	if ((void *)(gue + 4) > (void *)(long)ctx->data_end)
		return RECEIPT_MALFORMED;
	if (udp->dest != gue_port || udp->check)
		return RECEIPT_OTHER;
	__u32 len = bpf_ntohs(udp->len);
	if (len > t->len || len < sizeof(*udp) + sizeof(struct iphdr))
		return RECEIPT_MALFORMED;
	t->at += sizeof(*udp);
	t->len = len - sizeof(*udp);
	switch (gue[0] >> 4) {
	case 4:
		t->next = IPPROTO_IPIP;
		return RECEIPT_TAKEN;
	case 6:
		t->next = IPPROTO_IPV6;
		return RECEIPT_TAKEN;
	}
	if (gue[0] || gue[2] || gue[3])
		return RECEIPT_MALFORMED;
	t->next = gue[1];
	t->at += 4;
	t->len -= 4;
	return RECEIPT_TAKEN;
}

/* What the packet inside says of congestion after the outer one (RFC 6040 4.2, figure 4); -1: it must be
 * dropped. */
static __always_inline int merge_ecn(__u8 inner, __u8 outer)
{
	const __u8 ect1 = 1, ect0 = 2, ce = 3;

	if ((outer & ce) == ce)
		return inner & ce ? inner | ce : -1;
	if ((outer & ce) == ect1 && (inner & ce) == ect0)
		return (inner & ~ce) | ect1;
	return inner;
}

static __always_inline enum receipt inside_v4(struct xdp_md *ctx, const struct tunnel *t)
{
	struct iphdr *ip = (void *)(long)ctx->data + (t->at & 0x7f);

	if ((void *)(ip + 1) > (void *)(long)ctx->data_end)
		return RECEIPT_MALFORMED;
	__u32 total = bpf_ntohs(ip->tot_len), header = ip->ihl * 4;
	if (ip->version != 4 || header < sizeof(*ip) || total < header || total > t->len)
		return RECEIPT_MALFORMED;
	struct address dst = address_v4(ip->daddr);
	if (!bpf_map_lookup_elem(&vips, &dst))
		return RECEIPT_STRANGE;
	int class = merge_ecn(ip->tos, t->class);
	if (class < 0)
		return RECEIPT_CONGESTED;
	nat_checksum(&ip->check, csum_diff16(bpf_htons(ip->tos), bpf_htons(class)));
	ip->tos = class;
	return RECEIPT_TAKEN;
}

static __always_inline enum receipt inside_v6(struct xdp_md *ctx, const struct tunnel *t)
{
	struct ipv6hdr *ip6 = (void *)(long)ctx->data + (t->at & 0x7f);
	__u8 *bytes = (void *)ip6;

	if ((void *)(ip6 + 1) > (void *)(long)ctx->data_end)
		return RECEIPT_MALFORMED;
	if (ip6->version != 6 || sizeof(*ip6) + bpf_ntohs(ip6->payload_len) > t->len)
		return RECEIPT_MALFORMED;
	struct address dst = address_v6(&ip6->daddr);
	if (!bpf_map_lookup_elem(&vips, &dst))
		return RECEIPT_STRANGE;
	int class = merge_ecn((__u8)(bytes[0] << 4) | bytes[1] >> 4, t->class);
	if (class < 0)
		return RECEIPT_CONGESTED;
	bytes[1] = (bytes[1] & 0x0f) | (__u8)(class << 4);
	return RECEIPT_TAKEN;
}

/* Moves the Ethernet header to the packet inside. */
static __always_inline int strip(struct xdp_md *ctx, const struct tunnel *t)
{
	__u8 macs[2 * ETH_ALEN];

	if ((void *)(long)ctx->data + sizeof(macs) > (void *)(long)ctx->data_end)
		return 0;
	__builtin_memcpy(macs, (void *)(long)ctx->data, sizeof(macs));
	if (bpf_xdp_adjust_head(ctx, (int)t->at - (int)sizeof(struct ethhdr)))
		return 0;
	struct ethhdr *eth = (void *)(long)ctx->data;
	if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
		return 0;
	__builtin_memcpy(eth, macs, sizeof(macs));
	eth->h_proto = t->next == IPPROTO_IPV6 ? bpf_htons(ETH_P_IPV6) : bpf_htons(ETH_P_IP);
	return 1;
}

/* Finds what is inside, and where. */
static __always_inline enum receipt look(struct xdp_md *ctx, struct tunnel *t)
{
	struct ethhdr *eth = (void *)(long)ctx->data;
	enum receipt found = RECEIPT_OTHER;

	if ((void *)(eth + 1) > (void *)(long)ctx->data_end)
		return RECEIPT_MALFORMED;
	if (eth->h_proto == bpf_htons(ETH_P_IP))
		found = open_v4(ctx, t);
	else if (eth->h_proto == bpf_htons(ETH_P_IPV6))
		found = open_v6(ctx, t);
	if (found != RECEIPT_TAKEN)
		return found;
	if (t->next != (gue_port ? IPPROTO_UDP : IPPROTO_IPIP) && (gue_port || t->next != IPPROTO_IPV6))
		return RECEIPT_OTHER;
	if (!bpf_map_lookup_elem(&locals, &t->dst))
		return RECEIPT_OTHER;
	return gue_port ? open_udp(ctx, t) : RECEIPT_TAKEN;
}

SEC("xdp.frags")
int decap(struct xdp_md *ctx)
{
	struct tunnel t = {};
	__u32 receipt = look(ctx, &t);

	if (receipt == RECEIPT_TAKEN) {
		if (t.next == IPPROTO_IPIP)
			receipt = inside_v4(ctx, &t);
		else if (t.next == IPPROTO_IPV6)
			receipt = inside_v6(ctx, &t);
		else
			receipt = RECEIPT_STRANGE;
	}
	if (receipt == RECEIPT_TAKEN && !strip(ctx, &t))
		receipt = RECEIPT_MALFORMED;
	__u64 *n = bpf_map_lookup_elem(&receipts, &receipt);
	if (n)
		++*n;
	return receipt == RECEIPT_CONGESTED ? XDP_DROP : XDP_PASS;
}

const enum receipt receipt_type __attribute__((unused)) = RECEIPT_OTHER;

char LICENSE[] SEC("license") = "Dual BSD/GPL";
