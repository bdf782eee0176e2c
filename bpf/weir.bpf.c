//go:build ignore
/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One program an interface: parse -> guard or steer -> carry or reply -> one verdict, one count, one action. */
#include "guard.h"
#include "carry.h"
#include "count.h"
#include "endpoint.h"
#include "fragment.h"
#include "icmp.h"
#include "quote.h"
#include "steer.h"

static __always_inline enum verdict guarded(const struct packet *p, struct plan *plan, __u16 row)
{
	const struct service *s = service_row(row);

	if (!s || !service_is(s, &p->dst, p->dport, p->protocol))
		return VERDICT_NOT_OURS;
	return guard(p, plan);
}

static __always_inline enum verdict decide(struct xdp_md *ctx, struct packet *p, struct plan *plan)
{
	switch (parse(ctx, p)) {
	case PARSED:
		break;
	case PARSED_OTHER:
		return is_icmp(p) ? steer_error(ctx, p, plan) : VERDICT_NOT_OURS;
	case PARSED_FRAGMENT:
		return fragment_later(p, plan);
	case PARSED_UNREADABLE:
		return VERDICT_UNREADABLE;
	default:
		return VERDICT_MALFORMED;
	}
	__u32 zero = 0;
	const struct parameters *set = bpf_map_lookup_elem(&settings, &zero);
	if (!set)
		return VERDICT_NOT_OURS;
	const struct endpoint_slot *at = endpoint_find(tuple_hash(set->tuple_key, &p->dst, p->dport, p->protocol, is_v6(p)), 0);
	if (at && at->kind == ENDPOINT_SERVICE)
		return steer_service(ctx, set, p, plan, at->row);
	if (at && at->kind == ENDPOINT_GUARDED)
		return guarded(p, plan, at->row);
	at = endpoint_find(tuple_hash(set->tuple_key, &p->src, p->sport, p->protocol, is_v6(p)), 1);
	if (at)
		return steer_return(set, p, plan);
	return p->fragment ? VERDICT_FRAGMENT : VERDICT_NOT_OURS;
}

/* What the kernel does with a packet of this verdict, but for those that are carried. */
static __always_inline int action_of(enum verdict verdict)
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
	case VERDICT_STEER_UNREACHABLE:
	case VERDICT_STEER_REFUSED:
	case VERDICT_STEER_TOO_BIG:
		return XDP_TX;
	default:
		return XDP_DROP;
	}
}

SEC("xdp")
int weir(struct xdp_md *ctx)
{
	struct packet p = {};
	struct plan plan = {};
	enum verdict verdict = decide(ctx, &p, &plan);

	if (p.fragment == FRAGMENT_FIRST)
		fragment_first(&p, &plan, verdict);

	int action = XDP_DROP;
	if (is_carried(verdict))
		verdict = carry(ctx, &p, &plan, verdict, &action);
	else if (verdict == VERDICT_STEER_UNREACHABLE)
		verdict = port_unreachable(ctx, &p);
	else if (action_of(verdict) == XDP_TX && reply(ctx, &p, &plan.answer))
		verdict = plan.otherwise;
	if (verdict == VERDICT_STEER_TOO_BIG)
		verdict = too_big(ctx, &p, plan.mtu);
	if (!is_carried(verdict))
		action = action_of(verdict);
	count(verdict, p.frame_len);
	return action;
}

/* The time in ticks, for the agent: that of flows modulo 2^16, that of hops modulo 2^32. */
SEC("syscall")
int tick(void *ctx)
{
	return bpf_jiffies64() >> tick_shift;
}

/* Puts the types that no map names into the object's BTF, for Go. */
const enum verdict verdict_type __attribute__((unused)) = VERDICT_NOT_OURS;
const enum element_state element_state_type __attribute__((unused)) = ELEMENT_FREE;
const enum element_flag element_flag_type __attribute__((unused)) = ELEMENT_DRAINED;
const enum flow_state flow_state_type __attribute__((unused)) = FLOW_EMPTY;
const enum flow_class flow_class_type __attribute__((unused)) = FLOW_TCP;
const enum tally tally_type __attribute__((unused)) = TALLY_FLOW_EVICTED;
const struct endpoint_slot endpoint_slot_type __attribute__((unused)) = {};
const struct flow flow_type __attribute__((unused)) = {};
const enum on_loss on_loss_type __attribute__((unused)) = LOSS_RESET;
const enum fragments fragments_type __attribute__((unused)) = FRAGMENTS_FORWARD;
const enum spread spread_type __attribute__((unused)) = SPREAD_CONSISTENT;
const enum access access_type __attribute__((unused)) = ACCESS_ALL;
const enum access_rule access_rule_type __attribute__((unused)) = RULE_ALLOW;
const enum mode mode_type __attribute__((unused)) = MODE_NAT;
const struct hop hop_type __attribute__((unused)) = {};
const struct selection_cell selection_cell_type __attribute__((unused)) = {};
const enum endpoint_probes endpoint_probes_type __attribute__((unused)) = ENDPOINT_PROBES;
const enum endpoint_kind endpoint_kind_type __attribute__((unused)) = ENDPOINT_GUARDED;
const enum budget budget_type __attribute__((unused)) = BUDGET_NEWCOMERS;

char LICENSE[] SEC("license") = "Dual BSD/GPL";
