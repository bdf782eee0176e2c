/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The flow table: which element a flow belongs to, and what is known of its life.
 *
 * A flow has two buckets that its place may be in, the second only when the first is full when it
 * begins. A new one takes, in this order: its own old entry, a free one, one that was silent for
 * its timeout, the one that has been opening for longest. It never takes the entry of a flow that
 * was answered and lives, so that no flood of openings ends an established flow. */
#ifndef WEIR_FLOW_H
#define WEIR_FLOW_H

#include "address.h"
#include "count.h"
#include "maps.h"
#include "parse.h"

/* Set when the program is loaded. */
const volatile __u32 flow_buckets = 65536; /* of flows and flow_clients */
const volatile __u32 tick_shift = 8;       /* a tick is 2^this jiffies: about a second */

#define READ_ONCE(x) (*(volatile typeof(x) *)&(x))
#define WRITE_ONCE(x, value) (*(volatile typeof(x) *)&(x) = (value))

/* The second word of struct flow. */
#define WORD_SEEN(w) ((__u16)(w))
#define WORD_ELEMENT(w) ((__u16)((w) >> 16))
#define WORD_SERVICE(w) ((__u16)((w) >> 32))
#define WORD_STATE(w) ((__u8)((w) >> 48) & FLOW_STATE_MASK)
#define WORD_CLASS(w) ((__u8)((w) >> 48 >> FLOW_CLASS_SHIFT) % FLOW_CLASSES)
#define WORD_STATE_AT(state) ((__u64)(state) << 48)
#define WORD_VERSION_ONE ((__u64)1 << 56)

static __always_inline __u64 *flow_word(struct flow *f)
{
	return (__u64 *)&f->seen;
}

static __always_inline __u16 flow_tick(void)
{
	return bpf_jiffies64() >> tick_shift;
}

/* How many ticks ago the flow was heard of. Another CPU may be a tick ahead of us. */
static __always_inline __u16 flow_idle(__u64 word, __u16 tick)
{
	__s16 idle = tick - WORD_SEEN(word);

	return idle < 0 ? 0 : idle;
}

static __always_inline enum flow_class flow_class(__u8 protocol)
{
	switch (protocol) {
	case IPPROTO_TCP:
		return FLOW_TCP;
	case IPPROTO_SCTP:
		return FLOW_SCTP;
	case IPPROTO_DCCP:
		return FLOW_DCCP;
	default:
		return FLOW_UDP;
	}
}

/* The two places of a key. */
static __always_inline __u32 flow_index(__u64 key, int second)
{
	return ((second ? key & 0xffffffff : key >> 32) * flow_buckets) >> 32;
}

static __always_inline struct flow_bucket *flow_bucket(__u64 key, int second)
{
	__u32 index = flow_index(key, second);

	return bpf_map_lookup_elem(&flows, &index);
}

/* An entry, and its second word as it was when it had the key. */
struct found {
	struct flow *flow; /* 0: none */
	__u64 word;
};

static __always_inline int flow_read(struct flow *f, __u64 key, __u64 *word)
{
	if (READ_ONCE(f->key) != key)
		return 0;
	*word = READ_ONCE(*flow_word(f));
	return READ_ONCE(f->key) == key && WORD_STATE(*word) >= FLOW_OPENING;
}

/* Whether flows whose first bucket is b may be in their second one. */
static __always_inline int flow_is_full(struct flow_bucket *b)
{
	int full = 1;

#pragma unroll
	for (int i = 0; i < FLOW_WAYS; i++)
		full &= (b->ways[i].state & FLOW_STATE_MASK) != FLOW_EMPTY;
	return full;
}

/* The client's flow at a service. */
static __always_inline struct found flow_forward(__u64 key, __u16 service)
{
	struct found found = {};

#pragma unroll
	for (int second = 0; second < 2; second++) {
		struct flow_bucket *b = flow_bucket(key, second);

		if (!b)
			return found;
#pragma unroll
		for (int i = 0; i < FLOW_WAYS; i++) {
			if (flow_read(&b->ways[i], key, &found.word) && WORD_SERVICE(found.word) == service) {
				found.flow = &b->ways[i];
				return found;
			}
		}
		if (!flow_is_full(b))
			return found;
	}
	return found;
}

static __always_inline struct element *element_row(__u16 row)
{
	__u32 index = row;

	return bpf_map_lookup_elem(&elements, &index);
}

/* Whether the way back of the element's flows is by us, from this place. */
static __always_inline int answers_from(const struct element *e, const struct address *addr, __be16 port)
{
	return e && e->mode == MODE_NAT && e->port == port && same_address(&e->addr, addr);
}

/* Whether flows to the two elements could not be told from each other on the way back. */
static __always_inline int same_server(__u16 row, __u16 other)
{
	const struct element *a = element_row(row), *b = element_row(other);

	return b && b->mode == MODE_NAT && answers_from(a, &b->addr, b->port);
}

/* A client's flow at the element that answers from this place. */
static __always_inline struct found flow_at(const struct address *addr, __be16 port, __u64 key)
{
	struct found found = {};

#pragma unroll
	for (int second = 0; second < 2; second++) {
		struct flow_bucket *b = flow_bucket(key, second);

		if (!b)
			return found;
#pragma unroll
		for (int i = 0; i < FLOW_WAYS; i++) {
			if (flow_read(&b->ways[i], key, &found.word) && answers_from(element_row(WORD_ELEMENT(found.word)), addr, port)) {
				found.flow = &b->ways[i];
				return found;
			}
		}
		if (!flow_is_full(b))
			return found;
	}
	return found;
}

/* The flow of the client that the packet is to, at the element that it is from. */
static __always_inline struct found flow_return(const struct packet *p, __u64 key)
{
	return flow_at(&p->src, p->sport, key);
}

/* Changes the state of an entry, unless it changed meanwhile. */
static __always_inline void flow_become(const struct found *f, __u8 state)
{
	__u64 next = (f->word & ~WORD_STATE_AT(FLOW_STATE_MASK)) | WORD_STATE_AT(state);

	if (next != f->word)
		__sync_val_compare_and_swap(flow_word(f->flow), f->word, next);
}

/* Notes that the flow was heard of. Writes only what changes, to leave the cache line alone. */
static __always_inline void flow_heard(struct found *f)
{
	__u16 tick = flow_tick();

	if (WORD_SEEN(f->word) != tick) {
		WRITE_ONCE(f->flow->seen, tick);
		f->word = (f->word & ~(__u64)0xffff) | tick;
	}
}

/* What a packet of the client makes of a flow whose element answers by way of us. */
static __always_inline __u8 flow_after_client(const struct packet *p, __u8 state)
{
	if (p->flags & TCP_RST)
		return FLOW_RESET;
	if (p->flags & TCP_FIN)
		return state == FLOW_ELEMENT_CLOSED || state == FLOW_CLOSED ? FLOW_CLOSED : FLOW_CLIENT_CLOSED;
	if (p->flags & TCP_SYN)
		return state;
	/* A RST is believed until the flow goes on: anyone can send one that the other end ignores. */
	return state == FLOW_ANSWERED || state == FLOW_RESET ? FLOW_ESTABLISHED : state;
}

/* The same when we see only the client. That it goes on does not show that somebody answered it; that
 * it still does in a later tick is as much as there is to see. */
static __always_inline __u8 flow_after_client_alone(const struct packet *p, const struct found *f, __u16 tick)
{
	__u8 state = WORD_STATE(f->word);

	if (p->flags & TCP_RST)
		return FLOW_RESET;
	if (p->flags & TCP_FIN)
		return FLOW_CLOSED;
	if (p->flags & TCP_SYN)
		return state;
	if (state == FLOW_OPENING)
		return FLOW_ANSWERED;
	if (state == FLOW_ANSWERED && WORD_SEEN(f->word) == tick)
		return state;
	return state == FLOW_CLOSED ? state : FLOW_ESTABLISHED;
}

/* What a packet of the element makes of a flow. Of datagrams an answer is all there is to wait for. */
static __always_inline __u8 flow_after_element(const struct packet *p, __u8 state)
{
	if (p->flags & TCP_RST)
		return FLOW_RESET;
	if (p->flags & TCP_FIN)
		return state == FLOW_CLIENT_CLOSED || state == FLOW_CLOSED ? FLOW_CLOSED : FLOW_ELEMENT_CLOSED;
	if (state == FLOW_OPENING)
		return is_datagram(p->protocol) ? FLOW_ESTABLISHED : FLOW_ANSWERED;
	return state == FLOW_RESET ? FLOW_ESTABLISHED : state;
}

enum flow_stored {
	FLOW_STORED,
	FLOW_CONFLICT, /* the client's port has a flow at the same server for another service */
	FLOW_NO_PLACE,
};

/* How good a place an entry is for a new flow: the more, the better. */
enum flow_place {
	PLACE_NONE = 0,
	PLACE_OPENING = 1 << 16, /* and for how long, in the lower bits */
	PLACE_SILENT = 2 << 16,
	PLACE_EMPTY = 3 << 16,
	PLACE_DEAD = 4 << 16,
	PLACE_OVER = 5 << 16, /* a flow that is over and that the new one could not be told from */
	PLACE_OWN = 6 << 16,
	PLACE_CONFLICT = 7 << 16, /* no place, and the flow must not begin */
	PLACE_BUSY = 8 << 16,     /* no place, and no entry of this bucket is one */
};

/* A flow that begins. */
struct newflow {
	__u64 key;
	__u64 word; /* of the entry that was looked at last */
	struct address client;
	__be16 port;
	__u16 service;
	__u16 row; /* of the element that was chosen */
	__u16 tick;
	__u8 state; /* as in struct flow */
	__u8 pad[7];
};

static __always_inline __u32 flow_place_of(const struct parameters *set, const struct newflow *n, __u64 key)
{
	__u8 state = WORD_STATE(n->word);
	__u16 idle = flow_idle(n->word, n->tick);

	if (state == FLOW_BUSY)
		return PLACE_BUSY;
	if (state == FLOW_EMPTY)
		return PLACE_EMPTY;
	if (state == FLOW_DEAD)
		return PLACE_DEAD;
	if (state >= FLOW_STATES)
		return PLACE_NONE;
	int silent = idle > set->timeouts[WORD_CLASS(n->word)][state];
	if (key == n->key) {
		if (WORD_SERVICE(n->word) == n->service)
			return PLACE_OWN;
		if (same_server(WORD_ELEMENT(n->word), n->row))
			return silent || state >= FLOW_CLOSED ? PLACE_OVER : PLACE_CONFLICT;
	}
	if (silent)
		return PLACE_SILENT + idle;
	return state <= FLOW_ANSWERED ? PLACE_OPENING + idle : PLACE_NONE;
}

/* What place an entry is: enum flow_place. Leaves its second word in n. A function of its own, as
 * flow_store, so that the verifier goes through each once and not for every course of the others. */
__noinline __u32 flow_place(struct newflow *n, __u32 bucket, __u32 way)
{
	__u32 zero = 0;
	const struct parameters *set = bpf_map_lookup_elem(&settings, &zero);
	struct flow_bucket *b = bpf_map_lookup_elem(&flows, &bucket);

	if (!n || !set || !b || way >= FLOW_WAYS)
		return PLACE_BUSY;
	n->word = READ_ONCE(*flow_word(&b->ways[way]));
	return flow_place_of(set, n, b->ways[way].key);
}

/* The best place so far. */
struct choice {
	__u64 word;
	__u32 place; /* enum flow_place */
	__u32 bucket;
	__u32 way;
};

/* Looks through a bucket. Returns whether flows that belong there may be in their second one. */
static __always_inline int flow_choose(struct newflow *n, __u32 bucket, struct choice *best)
{
	int full = 1;

	for (__u32 way = 0; way < FLOW_WAYS; way++) {
		__u32 place = flow_place(n, bucket, way);

		if (place == PLACE_EMPTY)
			full = 0;
		if (place > best->place) {
			best->word = n->word;
			best->place = place;
			best->bucket = bucket;
			best->way = way;
		}
	}
	return full;
}

static __always_inline void flow_note_client(const struct newflow *n, __u32 bucket, __u32 way)
{
	struct flow_client *c = bpf_map_lookup_elem(&flow_clients, &bucket);

	if (!c || way >= FLOW_WAYS)
		return;
	c->addr[way] = n->client;
	c->port[way] = n->port;
}

/* Writes the entry, unless it is not any more what it was when it was chosen. */
static __always_inline int flow_write(const struct newflow *n, const struct choice *at)
{
	struct flow_bucket *b = bpf_map_lookup_elem(&flows, &at->bucket);
	__u32 way = at->way;

	if (!b || way >= FLOW_WAYS)
		return 0;
	struct flow *f = &b->ways[way];
	__u64 version = (at->word & ~(WORD_VERSION_ONE - 1)) + WORD_VERSION_ONE;
	if (__sync_val_compare_and_swap(flow_word(f), at->word, version | WORD_STATE_AT(FLOW_BUSY)) != at->word)
		return 0;
	WRITE_ONCE(f->key, n->key);
	if (n->state & FLOW_V6)
		flow_note_client(n, at->bucket, way);
	/* An exchange, and not a store, keeps this behind the key on any processor. */
	__sync_lock_test_and_set(flow_word(f), version | WORD_STATE_AT(n->state) | (__u64)n->service << 32 | (__u32)n->row << 16 | n->tick);
	return 1;
}

/* A free entry in a flow's first bucket, where nothing else has to be thought of: no other is being written,
 * was freed or has the same client. Nearly all flows begin like that. */
static __always_inline int flow_has_free(const struct newflow *n, struct choice *at)
{
	at->bucket = flow_index(n->key, 0);
	struct flow_bucket *b = bpf_map_lookup_elem(&flows, &at->bucket);

	if (!b)
		return 0;
#pragma unroll
	for (int way = FLOW_WAYS - 1; way >= 0; way--) {
		__u64 word = READ_ONCE(*flow_word(&b->ways[way]));

		if (WORD_STATE(word) == FLOW_EMPTY) {
			at->way = way;
			at->word = word;
			at->place = PLACE_EMPTY;
		} else if (WORD_STATE(word) < FLOW_OPENING || READ_ONCE(b->ways[way].key) == n->key) {
			return 0;
		}
	}
	return at->place == PLACE_EMPTY;
}

/* Gives a flow that begins its entry: enum flow_stored. When another CPU writes to the same bucket,
 * it is as if there were no place, so that a flow never has two. */
__noinline int flow_store(struct newflow *n)
{
	struct choice best = {};

	if (!n)
		return FLOW_NO_PLACE;
	if (flow_has_free(n, &best))
		return flow_write(n, &best) ? FLOW_STORED : FLOW_NO_PLACE;
	best.place = PLACE_NONE;
	if (flow_choose(n, flow_index(n->key, 0), &best))
		flow_choose(n, flow_index(n->key, 1), &best);
	if (best.place == PLACE_CONFLICT)
		return FLOW_CONFLICT;
	if (best.place == PLACE_BUSY || !best.place || !flow_write(n, &best))
		return FLOW_NO_PLACE;
	if (best.place < PLACE_SILENT)
		tally(TALLY_FLOW_EVICTED);
	return FLOW_STORED;
}

#endif
