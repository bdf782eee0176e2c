/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Every struct and enum shared with Go (through bpf2go). Addresses and ports are in
 * network byte order (__be), everything else in the host's. Structs have no hidden
 * padding: what the compiler would add is named, so that keys can be zeroed. */
#ifndef WEIR_TYPES_H
#define WEIR_TYPES_H

#include <linux/types.h>

/* What became of a packet. One verdict and one count per packet; maps/counters.go
 * names each for people, and a test holds the two lists together. */
enum verdict {
	VERDICT_NOT_OURS,            /* PASS: no service, no guarded port, no flow */
	VERDICT_MALFORMED,           /* PASS: not parseable; the stack decides */
	VERDICT_FRAGMENT,            /* PASS: a fragment that is not for a guarded port */
	VERDICT_GUARD_ADMITTED,      /* PASS: flow of an authenticated session */
	VERDICT_GUARD_NEWCOMER,      /* PASS: a stranger's SYN within the global budget */
	VERDICT_GUARD_PROVEN,        /* PASS: SYN from an address that proved itself */
	VERDICT_GUARD_HANDSHAKE,     /* PASS: within its connection's budget before admission */
	VERDICT_GUARD_CHALLENGED,    /* TX: the SYN was answered by a proof-of-address challenge */
	VERDICT_GUARD_PROOF,         /* DROP: an answered challenge; it opened the gate, the stack need not see it */
	VERDICT_GUARD_FALSE_PROOF,   /* DROP: a reset that answers no challenge of ours */
	VERDICT_GUARD_SOURCE_SPENT,  /* DROP: the source's budget is spent */
	VERDICT_GUARD_GLOBAL_SPENT,  /* DROP: the budget of newcomers and of challenges is spent */
	VERDICT_GUARD_UNKNOWN_FLOW,  /* DROP: belongs to no connection that was let in */
	VERDICT_GUARD_FLOW_SPENT,    /* DROP: too many packets, or too late, before admission */
	VERDICT_GUARD_NOT_TCP,       /* DROP: another protocol at the guarded port */
	VERDICT_GUARD_FRAGMENT,      /* DROP: a fragment for the guarded port */
	VERDICT_GUARD_MALFORMED,     /* DROP: impossible header lengths or flags */
	VERDICT_STEER_FORWARD,       /* REDIRECT: to the flow's element */
	VERDICT_STEER_RETURN,        /* REDIRECT: from an element back to the client */
	VERDICT_STEER_NEIGHBOR,      /* PASS: rewritten; the stack forwards: it resolves the neighbour, or the interface is not ours */
	VERDICT_STEER_RESET,         /* TX: the flow's element is lost, its client was told by a RST */
	VERDICT_STEER_REFUSED,       /* TX: the pool has no element, the SYN was refused by a RST */
	VERDICT_STEER_NO_ELEMENT,    /* DROP: the pool has no element (UDP) */
	VERDICT_STEER_LOST,          /* DROP: a RST towards an element that is lost */
	VERDICT_STEER_STRAY,         /* DROP: a RST that belongs to no flow */
	VERDICT_STEER_NO_ROUTE,      /* DROP: no route to the next hop, or larger than its MTU */
	VERDICT_STEER_NAT_CONFLICT,  /* DROP: the client's port is in use at every element tried */
	VERDICT_STEER_TABLE_FULL,    /* DROP: the flow table took no entry */
	VERDICT_STEER_TTL,           /* PASS: the stack answers time exceeded */
	VERDICT_STEER_MALFORMED,     /* DROP: impossible header lengths at a service */
	VERDICT_MAX,
};

struct count {
	__u64 packets;
	__u64 bytes; /* of the frame as received */
};

/* endpoints: what listens at an address and port of ours. */
enum endpoint_kind {
	ENDPOINT_GUARDED = 1, /* the registrar's own socket, behind the guard */
	ENDPOINT_SERVICE = 2, /* a VIP that is steered */
};

struct endpoint_key {
	__be32 addr;
	__be16 port;
	__u8 protocol; /* IPPROTO_* */
	__u8 pad;
};

struct endpoint {
	__u32 kind;    /* enum endpoint_kind */
	__u32 service; /* index into selections; 0 for a guarded port */
};

/* elements: one row an element of a service. Row 0 is never used. From DRAINING on, flows that
 * the element has are forwarded to it; below, their clients are reset. */
enum element_state {
	ELEMENT_FREE = 0,     /* no element */
	ELEMENT_LOST = 1,     /* unreachable */
	ELEMENT_DRAINING = 2, /* left: no new flows */
	ELEMENT_AWAY = 3,     /* its association ended, it may come back: no new flows meanwhile */
	ELEMENT_ACTIVE = 4,   /* new flows too */
};

struct element {
	__be32 addr;
	__be16 port;
	__u8 protocol;
	__u8 state;       /* enum element_state */
	__u32 pe;         /* PE identifier (RFC 5354 3.14) */
	__u32 service;
	__u32 generation; /* counts the row's users: a flow of an earlier one does not match */
	__u32 weight;
};

/* flows: two entries a flow, one for each direction of NAT. */
enum flow_direction {
	FLOW_FORWARD = 0, /* key is client -> VIP, the value names the element's address */
	FLOW_RETURN = 1,  /* key is element -> client, the value names the VIP */
};

enum flow_state {
	FLOW_SYN = 1,         /* opened by a SYN, nothing else seen */
	FLOW_ESTABLISHED = 2,
	FLOW_CLOSING = 3,     /* FIN seen in this direction */
	FLOW_RESET = 4,       /* RST seen in this direction */
};

struct flow_key {
	__be32 src;
	__be32 dst;
	__be16 sport;
	__be16 dport;
	__u8 protocol;
	__u8 direction; /* enum flow_direction */
	__u16 pad;
};

struct flow {
	__be32 addr; /* rewrite destination (forward) or source (return) to this */
	__be16 port;
	__u8 state;  /* enum flow_state */
	__u8 pad;
	__u32 element;
	__u32 generation; /* the element row's when the flow began */
	__u32 seen;       /* last packet, in ticks of 2^30 ns of the monotonic clock */
	__u32 client_ack; /* host order; the client's last acknowledgement: the one sequence number a RST to it may carry (RFC 5961 3.2) */
};

/* The guard. Times are nanoseconds of the coarse monotonic clock. */
struct peer_key {
	__be32 addr;
	__be16 port;
	__be16 local_port; /* the guarded port */
};

struct newcomer_key {
	__be32 src;
	__be32 dst;
	__be16 sport;
	__be16 dport;
};

struct newcomer {
	__u64 expires;
	__u32 packets; /* left to spend */
	__u32 pad;
};

struct sketch_cell {
	__u32 epoch; /* the second that count belongs to */
	__u32 count;
};

enum budget {
	BUDGET_NEWCOMERS, /* SYNs of strangers */
	BUDGET_PROVEN,    /* SYNs of proven addresses */
	BUDGET_CHALLENGES,
	BUDGET_MAX,
};

/* One token bucket as a virtual schedule (GCRA): a packet costs interval, and may come
 * at most burst ahead of its time. interval 0 lets nothing through. */
struct rate {
	__u64 interval; /* ns a packet */
	__u64 burst;    /* ns */
};

struct parameters {
	__u64 select_key[2];    /* SipHash key of the selection: secret, kept across restarts */
	__u64 guard_key[2];     /* SipHash key of challenges and of the sketch */
	struct rate rates[BUDGET_MAX];
	__u64 handshake_ns;     /* how long a connection may live before it is admitted */
	__u64 proven_ns;        /* how long a proven address stays proven */
	__u32 source_per_second;
	__u32 handshake_packets;
};

#endif
