//go:build ignore
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One program an interface: parse -> guard or steer -> one verdict -> one count -> one action. */
#include "guard.h"
#include "count.h"
#include "steer.h"

static __always_inline enum verdict decide(struct xdp_md *ctx, struct packet *p)
{
	switch (parse(ctx, p)) {
	case PARSED:
		break;
	case PARSED_OTHER:
		return VERDICT_NOT_OURS;
	case PARSED_FRAGMENT:
		return VERDICT_FRAGMENT;
	default:
		return VERDICT_MALFORMED;
	}
	struct endpoint_key key = { .addr = p->dst, .port = p->dport, .protocol = p->protocol };
	struct endpoint *at = bpf_map_lookup_elem(&endpoints, &key);
	if (!at)
		return steer_return(ctx, p);
	if (at->kind == ENDPOINT_GUARDED)
		return guard(ctx, p);
	return steer_service(ctx, p, at->service);
}

/* What the kernel does with a packet of this verdict. */
static __always_inline int action(enum verdict verdict)
{
	switch (verdict) {
	case VERDICT_NOT_OURS:
	case VERDICT_MALFORMED:
	case VERDICT_FRAGMENT:
	case VERDICT_GUARD_ADMITTED:
	case VERDICT_GUARD_NEWCOMER:
	case VERDICT_GUARD_PROVEN:
	case VERDICT_GUARD_HANDSHAKE:
	case VERDICT_STEER_NEIGHBOR:
	case VERDICT_STEER_TTL:
		return XDP_PASS;
	case VERDICT_GUARD_CHALLENGED:
	case VERDICT_STEER_RESET:
	case VERDICT_STEER_REFUSED:
		return XDP_TX;
	case VERDICT_STEER_FORWARD:
	case VERDICT_STEER_RETURN:
		return XDP_REDIRECT;
	default:
		return XDP_DROP;
	}
}

SEC("xdp")
int weir(struct xdp_md *ctx)
{
	struct packet p = {};
	enum verdict verdict = decide(ctx, &p);

	count(verdict, p.frame_len);
	return action(verdict);
}

/* Puts the types that no map names into the object's BTF, for Go. */
const enum verdict verdict_type __attribute__((unused)) = VERDICT_NOT_OURS;
const enum element_state element_state_type __attribute__((unused)) = ELEMENT_FREE;
const enum flow_state flow_state_type __attribute__((unused)) = FLOW_SYN;
const enum flow_direction flow_direction_type __attribute__((unused)) = FLOW_FORWARD;
const enum endpoint_kind endpoint_kind_type __attribute__((unused)) = ENDPOINT_GUARDED;
const enum budget budget_type __attribute__((unused)) = BUDGET_NEWCOMERS;

char LICENSE[] SEC("license") = "Dual BSD/GPL";
