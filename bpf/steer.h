/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Steering: a client's packet to its flow's element, an element's packet back to the client. */
#ifndef WEIR_STEER_H
#define WEIR_STEER_H

#include "address.h"
#include "association.h"
#include "endpoint.h"
#include "flow.h"
#include "maps.h"
#include "parse.h"
#include "reply.h"
#include "select.h"

static __always_inline enum verdict no_element(const struct packet *p, struct plan *plan)
{
	if (p->protocol != IPPROTO_TCP)
		return VERDICT_STEER_NO_ELEMENT;
	return answer_reset(plan, p, VERDICT_STEER_REFUSED, VERDICT_STEER_NO_ELEMENT);
}

static __always_inline enum verdict forward(struct plan *plan, __u64 key, __u16 row)
{
	plan->row = row;
	plan->spread = key ^ key >> 16 ^ key >> 32 ^ key >> 48;
	return VERDICT_STEER_FORWARD;
}

/* Whether a flow that begins here is in the middle of a connection, and another element than the chosen one
 * may have it: that of the key before. Only where the element's RST comes by way of us. A function of its
 * own, for its stack. */
__noinline int is_guess(const struct packet *p, __u32 service, __u32 row)
{
	__u32 zero = 0;
	const struct parameters *set = bpf_map_lookup_elem(&settings, &zero);
	const struct service *s = service_row(service);

	if (!p || !set || !s || p->protocol != IPPROTO_TCP || p->flags & TCP_SYN || s->mode != MODE_NAT)
		return 0;
	__u16 before = selected_before(set, s, service, p);

	return before && before != row;
}

/* A flow that the table does not know: choose, remember, send. A TCP segment in the middle of a
 * connection is chosen for like a SYN: after a loss of the table most such flows find their element
 * again, and the others are reset by the element they reach. A function of its own, which the
 * verifier goes through once. Returns enum verdict. */
__noinline int steer_new(const struct packet *p, struct plan *plan, __u64 key, __u32 service)
{
	__u32 zero = 0;
	const struct parameters *set = bpf_map_lookup_elem(&settings, &zero);
	const struct service *s = service_row(service);

	if (!p || !plan || !set || !s || !service_is(s, &p->dst, p->dport, p->protocol))
		return VERDICT_NOT_OURS;
	struct newflow n = {
		.key = key, .client = p->src, .port = p->sport, .service = service, .tick = flow_tick(),
		.state = FLOW_OPENING | flow_class(p->protocol) << FLOW_CLASS_SHIFT | (is_v6(p) ? FLOW_V6 : 0),
	};
	__u64 hash = select_hash(s, set->select_key, p);
	int conflict = 0;

	if (is_denied(s, service, &p->src))
		return VERDICT_STEER_DENIED;
	if (p->flags & TCP_RST)
		return VERDICT_STEER_STRAY;
	for (int i = 0; i < SELECT_TRIES; i++, hash = hash >> 13 | hash << 51) {
		n.row = selected(service, next_slot(s, service, hash));
		const struct element *e = n.row ? element_row(n.row) : 0;

		if (!e || e->state != ELEMENT_ACTIVE) /* lost since the table was made */
			continue;
		if (is_guess(p, service, n.row))
			n.state |= FLOW_GUESSED;
		int stored = flow_store(&n);
		if (stored == FLOW_STORED) {
			note_chosen(s, n.row);
			return forward(plan, key, n.row);
		}
		if (stored == FLOW_NO_PLACE)
			return VERDICT_STEER_TABLE_FULL;
		conflict = 1;
	}
	return conflict ? VERDICT_STEER_NAT_CONFLICT : no_element(p, plan);
}

/* The element of the flow is lost: its client is told, at once and as its transport has it: by a RST with
 * a number that it accepts, or by port unreachable (RFC 1122 4.1.3.1, RFC 3828 3.3, RFC 4340 8.3.1). */
static __always_inline enum verdict steer_lost(const struct packet *p, struct plan *plan, const struct found *f)
{
	flow_become(f, FLOW_RESET);
	if (p->flags & TCP_RST)
		return VERDICT_STEER_LOST;
	if (p->protocol == IPPROTO_TCP)
		return answer_reset(plan, p, VERDICT_STEER_RESET, VERDICT_STEER_LOST);
	return p->protocol == IPPROTO_SCTP ? VERDICT_STEER_LOST : VERDICT_STEER_UNREACHABLE;
}

static __always_inline int opens(const struct packet *p)
{
	return (p->flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

/* Whether a packet for an element that is lost begins another flow: when flows migrate any does, else
 * one that its client sends although it has been told. */
static __always_inline int leaves_lost(const struct packet *p, __u8 state, __u8 on_loss)
{
	if (on_loss == LOSS_MIGRATE)
		return !(p->flags & TCP_RST);
	return is_datagram(p->protocol) ? state == FLOW_RESET : opens(p);
}

/* Whether a packet on a known flow begins another one that may choose anew: its old one is over, or
 * its old element takes no new ones. A SYN that is merely sent again stays where the first went. */
static __always_inline int begins_anew(const struct packet *p, __u8 state, const struct element *e)
{
	if (e->state == ELEMENT_ACTIVE)
		return opens(p) && state >= FLOW_CLIENT_CLOSED && state != FLOW_ELEMENT_CLOSED;
	if (e->state >= ELEMENT_DRAINING)
		return opens(p) && state > FLOW_ANSWERED;
	return leaves_lost(p, state, e->on_loss);
}

static __always_inline int takes_fragments(__u16 service)
{
	const struct service *s = service_row(service);

	return s && s->fragments == FRAGMENTS_FORWARD;
}

/* Notes the tag of an association whose client has gone on after the INIT. */
static __always_inline void note_association(const struct packet *p, __u64 word, __u8 state)
{
	if (p->protocol == IPPROTO_SCTP && WORD_STATE(word) <= FLOW_ANSWERED && state > WORD_STATE(word) && state <= FLOW_ESTABLISHED)
		association_note(p, WORD_ELEMENT(word), 0);
}

static __always_inline enum verdict steer_service(struct xdp_md *ctx, const struct parameters *set, const struct packet *p, struct plan *plan, __u16 service)
{
	__u64 key = tuple_hash(set->tuple_key, &p->src, p->sport, p->protocol, is_v6(p));

	if (!p->whole)
		return VERDICT_STEER_MALFORMED;
	if (p->fragment && !takes_fragments(service))
		return VERDICT_STEER_FRAGMENT;
	struct found f = flow_forward(key, service);
	struct element *e = f.flow ? element_row(WORD_ELEMENT(f.word)) : 0;
	if (e && !begins_anew(p, WORD_STATE(f.word), e)) {
		if (e->state < ELEMENT_DRAINING)
			return steer_lost(p, plan, &f);
		__u8 state = e->mode == MODE_NAT ? flow_after_client(p, WORD_STATE(f.word)) : flow_after_client_alone(p, &f, flow_tick());
		note_association(p, f.word, state);
		flow_heard(&f);
		flow_become(&f, state);
		return forward(plan, key, WORD_ELEMENT(f.word));
	}
	__u16 row = p->protocol == IPPROTO_SCTP ? association_join(ctx, p, key, service) : 0;
	if (row)
		return forward(plan, key, row);
	return steer_new(p, plan, key, service);
}

/* An element has reset a flow that was guessed to be its: gives the flow to the element of the key before.
 * Returns whether it has another element now; the client's next packet goes there. */
__noinline int steer_again(const struct packet *p, __u64 key)
{
	__u32 zero = 0;
	const struct parameters *set = bpf_map_lookup_elem(&settings, &zero);

	if (!p || !set)
		return 0;
	struct found f = flow_return(p, key);
	if (!f.flow)
		return 0;
	const struct service *s = service_row(WORD_SERVICE(f.word));
	if (!s)
		return 0;
	struct packet client = { .src = p->dst, .sport = p->dport, .dst = s->addr, .dport = s->port, .protocol = s->protocol, .v6 = p->v6 };
	__u16 row = selected_before(set, s, WORD_SERVICE(f.word), &client);
	const struct element *e = row ? element_row(row) : 0;
	if (!e || e->state != ELEMENT_ACTIVE || row == WORD_ELEMENT(f.word))
		return 0;
	if (flow_at(&e->addr, e->port, key).flow) /* the client's port has a flow there already */
		return 0;
	__u64 next = f.word & ~((__u64)0xffff << 16 | WORD_STATE_AT(FLOW_GUESSED));
	next |= (__u64)row << 16;
	return __sync_val_compare_and_swap(flow_word(f.flow), f.word, next) == f.word;
}

static __always_inline int is_wrong_guess(const struct packet *p, __u64 word)
{
	return p->flags & TCP_RST && word & WORD_STATE_AT(FLOW_GUESSED) && WORD_STATE(word) == FLOW_OPENING;
}

/* A packet from where elements answer: is it a flow's? */
static __always_inline enum verdict steer_return(const struct parameters *set, const struct packet *p, struct plan *plan)
{
	__u64 key = tuple_hash(set->tuple_key, &p->dst, p->dport, p->protocol, is_v6(p));

	if (!p->whole)
		return VERDICT_NOT_OURS;
	struct found f = flow_return(p, key);
	if (!f.flow) {
		if (p->protocol == IPPROTO_SCTP && !p->fragment && (plan->row = association_answer(p, key)))
			return VERDICT_STEER_RETURN;
		return p->fragment ? VERDICT_FRAGMENT : VERDICT_NOT_OURS;
	}
	if (p->protocol == IPPROTO_SCTP && p->flags & SCTP_ACCEPTED)
		association_note(p, WORD_ELEMENT(f.word), 1);
	if (p->fragment && !takes_fragments(WORD_SERVICE(f.word)))
		return VERDICT_STEER_FRAGMENT;
	if (is_wrong_guess(p, f.word) && steer_again(p, key))
		return VERDICT_STEER_AGAIN;
	flow_heard(&f);
	flow_become(&f, flow_after_element(p, WORD_STATE(f.word)));
	plan->row = WORD_SERVICE(f.word);
	return VERDICT_STEER_RETURN;
}

#endif
