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
	VERDICT_FRAGMENT,            /* PASS: a fragment of no service, or before the first one of its packet */
	VERDICT_UNREADABLE,          /* DROP: ports may lie deeper than we look, where the stack would find them */
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
	VERDICT_STEER_ICMP,          /* REDIRECT: an ICMP error about a flow's packet, to the end that sent this */
	VERDICT_STEER_NEIGHBOR,      /* PASS: rewritten; the stack forwards: it resolves the neighbour, or fragments, or the interface is not ours */
	VERDICT_STEER_RESET,         /* TX: the flow's element is lost, its client was told by a RST */
	VERDICT_STEER_UNREACHABLE,   /* TX: the flow's element is lost, its client was told by an ICMP error */
	VERDICT_STEER_REFUSED,       /* TX: the pool has no element, the SYN was refused by a RST */
	VERDICT_STEER_NO_ELEMENT,    /* DROP: the pool has no element (but for TCP) */
	VERDICT_STEER_LOST,          /* DROP: the flow's element is lost; a RST, or nobody to tell, or the budget for that is spent */
	VERDICT_STEER_STRAY,         /* DROP: a RST that belongs to no flow, or an ABORT or Reset */
	VERDICT_STEER_NO_ROUTE,      /* DROP: no route to the next hop, or no neighbour (but for NAT) */
	VERDICT_STEER_TOO_BIG,       /* TX: larger than the next hop's MTU, the sender was told by an ICMP error */
	VERDICT_STEER_OVERSIZE,      /* DROP: larger than the next hop's MTU; nobody to tell, or the budget for that is spent */
	VERDICT_STEER_NAT_CONFLICT,  /* DROP: the client's port is in use at every element tried */
	VERDICT_STEER_TABLE_FULL,    /* DROP: the flow table has no place but those of live flows */
	VERDICT_STEER_FRAGMENT,      /* DROP: a fragment of a service that takes none, or of SCTP whose port would change */
	VERDICT_STEER_AGAIN,         /* DROP: an element's RST to a flow that the table had lost: it is tried at another one */
	VERDICT_STEER_DENIED,        /* DROP: the service is not for this client */
	VERDICT_STEER_TTL,           /* PASS: the stack answers time exceeded */
	VERDICT_STEER_MALFORMED,     /* DROP: impossible header lengths at a service */
	VERDICT_MAX,
};

struct count {
	__u64 packets;
	__u64 bytes; /* of the frame as received */
};

/* What happens beside a packet's verdict; maps/tallies.go names each for people. */
enum tally {
	TALLY_FLOW_EVICTED, /* a flow that was only opening gave its entry to a new one */
	TALLY_MAX,
};

/* An address of either family: IPv4 as ::ffff:a.b.c.d (RFC 4291 2.5.5.2), as it lies in memory. */
struct address {
	__u64 half[2];
};

/* endpoints: what listens at an address and port of ours, or answers behind us. A hash table of
 * cache lines: a slot's tag is the lower half of tuple_hash, the bucket is chosen by the upper
 * one. What a full bucket does not take is in one of the next. */
#define ENDPOINT_BUCKETS 8192
#define ENDPOINT_SLOTS 8

enum endpoint_probes {
	ENDPOINT_PROBES = 4, /* buckets that an entry may be in */
};

enum endpoint_kind {
	ENDPOINT_GUARDED = 1, /* the registrar's own socket, behind the guard; a row of services */
	ENDPOINT_SERVICE = 2, /* a VIP that is steered; a row of services */
	ENDPOINT_SERVER = 3,  /* elements answer from there; no row */
};

struct endpoint_slot {
	__u32 tag; /* 0: free */
	__u16 row;
	__u8 kind;  /* enum endpoint_kind */
	__u8 probe; /* how many buckets behind its own it is */
};

struct endpoint_bucket {
	struct endpoint_slot slots[ENDPOINT_SLOTS];
};

/* endpoint_hints: for each bucket of endpoints eight bits. One that is 0 says that no entry that belongs
 * to the bucket, even if it is in one of the next, has a tag with these three lower bits. Most packets that
 * are not for us are known by that alone, in 8 KB that stay in a core's first cache. */
#define HINT_BITS 8

struct endpoint_hints {
	__u8 tags[ENDPOINT_BUCKETS];
};

/* How a service's packets reach its elements. */
enum mode {
	MODE_NAT = 0, /* the destination becomes the element's, and the way back is by the gateway */
	MODE_DSR = 1, /* unchanged, in a frame to the element, which has the VIP and answers by itself */
	MODE_IPIP = 2, /* unchanged, in an IP packet to the element (RFC 2003, 2473, 4213), which answers by itself */
	MODE_GUE = 3,  /* the same in UDP: variant 1 of Generic UDP Encapsulation */
};

/* What becomes of a service's fragmented packets, in both directions. */
enum fragments {
	FRAGMENTS_FORWARD = 0, /* they take the way of the first fragment */
	FRAGMENTS_DROP = 1,
};

/* How a new flow of a service gets its slot of the selection table. */
enum spread {
	SPREAD_CONSISTENT = 0, /* by a keyed hash: the same on every gateway that has the key */
	SPREAD_TURNS = 1,      /* one after the other, on each core by itself */
	SPREAD_RANDOM = 2,
};

/* Whom a service is for; the clients are in access. */
enum access {
	ACCESS_ALL = 0,
	ACCESS_OTHERS = 1, /* all but those that are denied */
	ACCESS_LISTED = 2, /* those that are allowed */
};

/* access: the longest prefix that a client is in says whether it may use the service. */
enum access_rule {
	RULE_ALLOW = 1,
	RULE_DENY = 2,
};

struct access_key {
	__u32 bits; /* 32 of the row, and those of the prefix */
	__u16 service;
	__u16 pad;
	struct address addr;
};

/* What becomes of a service's flows whose element is lost. */
enum on_loss {
	LOSS_RESET = 0,   /* their clients are told */
	LOSS_MIGRATE = 1, /* their next packets choose another element */
	LOSS_DRAIN = 2,   /* they stay for a while: the agent keeps the element DRAINING; then as LOSS_RESET */
};

/* services: one row a VIP, port and protocol; a guarded port has one too. Row 0 is never used. */
struct service {
	struct address addr;
	__be16 port;
	__u8 protocol; /* IPPROTO_* */
	__u8 kind;     /* enum endpoint_kind; 0: free */
	__u32 slots;   /* of its selection table */
	__u8 mode;     /* enum mode */
	__u8 fragments; /* enum fragments */
	__be16 tunnel_port; /* MODE_GUE */
	__u8 spread;    /* enum spread */
	__u8 access;    /* enum access */
	__u8 by_client; /* SPREAD_CONSISTENT: all flows of a client's address get the same slot */
	__u8 on_loss;   /* enum on_loss */
	__u8 more[32];
};

/* elements: one row an element of a service. Row 0 is never used. From DRAINING on, flows that
 * the element has are forwarded to it; below, their clients are reset. A row that was freed is not
 * used again before the flows that name it are gone from the table. */
enum element_state {
	ELEMENT_FREE = 0,     /* no element */
	ELEMENT_LOST = 1,     /* unreachable */
	ELEMENT_DRAINING = 2, /* left: no new flows */
	ELEMENT_AWAY = 3,     /* its association ended, it may come back: no new flows meanwhile */
	ELEMENT_ACTIVE = 4,   /* new flows too */
};

/* What an operator has ordered of an element. The agent keeps it here, no packet reads it: what it
 * means is in the element's state and weight. */
enum element_flag {
	ELEMENT_DRAINED = 1, /* no new flows: it is AWAY instead of ACTIVE */
	ELEMENT_WEIGHED = 2, /* its weight is the operator's */
};

/* The next hop of a packet: what the kernel's routes and neighbours say, kept fresh by the agent. */
struct hop {
	__u32 ifindex; /* 0: not known; ask the kernel */
	__u8 dmac[6];
	__u8 smac[6];
	__u16 mtu;
	__u8 router; /* the hop is one: not the packet's destination itself */
	__u8 pad;
};

struct element {
	struct address addr;
	__be16 port;
	__u8 protocol;
	__u8 state;   /* enum element_state */
	__u32 pe;     /* PE identifier (RFC 5354 3.14) */
	__u32 weight;
	__u16 service;
	__u8 mode;    /* enum mode, the service's */
	__u8 flags;   /* enum element_flag */
	struct hop hop;
	__be16 tunnel_port; /* the service's */
	__u8 on_loss; /* enum on_loss, the service's */
	__u8 pad;
	__u32 until;  /* of one that is lost and DRAINING: when it is to be LOST, in seconds since the epoch; for the agent */
	__u8 more[4];
};

/* uplinks: the ways to the clients. Of a family's, the first whose prefix fits is a client's. */
#define MAX_UPLINKS 8

struct uplink {
	struct address prefix;
	struct address mask;
	struct hop hop; /* of ifindex 0: its hosts are reached each by itself, or by several ways */
};

struct uplinks {
	struct uplink v4[MAX_UPLINKS]; /* the last one that is used has a mask of 0 */
	struct uplink v6[MAX_UPLINKS];
	__u32 until;                   /* the tick after which no hop here or of an element counts */
	__u32 pad;
};

/* selections: a table's slots are rows of elements, four a cell; 0: none. */
#define CELL_SLOTS 4
struct selection_cell {
	__u16 elements[CELL_SLOTS];
};

/* flows: buckets of one cache line, shared by all CPUs without a lock. An entry is found by its
 * client and its service, and on the way back by its client and its element.
 *
 * A writer makes an entry its own by a compare-and-swap of the second word to FLOW_BUSY, writes the
 * key, and publishes the second word. A reader compares the key again after it has read the second
 * word: if it still is the same one, the two belong together. */
#define FLOW_WAYS 4

enum flow_state {
	FLOW_EMPTY = 0,           /* never used, since the bucket was last seen without a second choice */
	FLOW_BUSY = 1,            /* being written */
	FLOW_DEAD = 2,            /* free, but flows that belong here are in their second bucket */
	FLOW_OPENING = 3,         /* nothing seen but what opened it */
	FLOW_ANSWERED = 4,        /* NAT: the element has answered, the client not yet; else the client has gone on */
	FLOW_ESTABLISHED = 5,
	FLOW_CLIENT_CLOSED = 6,   /* FIN of the client, or DCCP's Close */
	FLOW_ELEMENT_CLOSED = 7,  /* FIN of the element (NAT) */
	FLOW_CLOSED = 8,          /* both */
	FLOW_RESET = 9,           /* RST of either, SCTP's ABORT or SHUTDOWN COMPLETE, DCCP's Reset */
	FLOW_STATES = 10,
};

/* What a flow's timeouts depend on, beside its state. */
enum flow_class {
	FLOW_TCP = 0,
	FLOW_UDP = 1, /* and UDP-Lite */
	FLOW_SCTP = 2,
	FLOW_DCCP = 3,
	FLOW_CLASSES = 4,
};

struct flow {
	__u64 key;     /* tuple_hash of the client's address, port and protocol */
	__u16 seen;    /* the last packet, in ticks, modulo 2^16 */
	__u16 element; /* row */
	__u16 service; /* row */
	__u8 state;    /* enum flow_state; FLOW_CLASS_SHIFT: enum flow_class; and the flags below */
	__u8 version;  /* counts the entry's users, for compare-and-swap */
};
#define FLOW_STATE_MASK 0x0f
#define FLOW_CLASS_SHIFT 4
#define FLOW_GUESSED 0x40 /* it began in the middle of a connection; opening: another element may have it */
#define FLOW_V6 0x80      /* the client is in flow_clients */

struct flow_bucket {
	struct flow ways[FLOW_WAYS];
};

/* flow_clients: whose IPv6 flow it is, beside each entry of flows. An IPv4 client follows from the
 * key, which is a bijection of it. */
struct flow_client {
	struct address addr[FLOW_WAYS];
	__be16 port[FLOW_WAYS];
};

/* fragments: what was decided for first fragments; see fragment.h. */
#define FRAGMENT_BUCKETS 8192
#define FRAGMENT_WAYS 8

struct fragment_bucket {
	__u64 ways[FRAGMENT_WAYS];
};

/* associations: which element has an association of SCTP; see association.h. */
#define ASSOCIATION_BUCKETS 16384
#define ASSOCIATION_WAYS 8

struct association_bucket {
	__u64 ways[ASSOCIATION_WAYS];
};

/* The guard. Times are nanoseconds of the coarse monotonic clock. */
struct peer_key {
	struct address addr;
	__be16 port;
	__be16 local_port; /* the guarded port */
	__u32 pad;
};

struct newcomer_key {
	struct address src;
	struct address dst;
	__be16 sport;
	__be16 dport;
	__u32 pad;
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
	BUDGET_ERRORS, /* ICMP errors of ours */
	BUDGET_MAX,
};

/* One token bucket as a virtual schedule (GCRA): a packet costs interval, and may come
 * at most burst ahead of its time. interval 0 lets nothing through. */
struct rate {
	__u64 interval; /* ns a packet */
	__u64 burst;    /* ns */
};

struct parameters {
	/* What each packet needs is in the first cache line. */
	__u64 tuple_key[4];        /* of tuple_hash: secret, kept as long as flows are; 1 to 3 are odd */
	struct address tunnel_v6;  /* where tunnels come from: an address of ours, 0: none */
	__be32 tunnel_v4;
	__u32 pad;
	__u64 select_key[2];    /* SipHash key of the selection: secret, kept across restarts */
	__u64 guard_key[2];     /* SipHash key of challenges and of the sketch */
	struct rate rates[BUDGET_MAX];
	__u64 handshake_ns;     /* how long a connection may live before it is admitted */
	__u64 proven_ns;        /* how long a proven address stays proven */
	__u32 source_per_second;
	__u32 handshake_packets;
	__u16 timeouts[FLOW_CLASSES][FLOW_STATES]; /* ticks that a flow may be silent */
	__u64 select_before[2]; /* what select_key was before it was rotated; 0: nothing yet */
	__u64 select_secret[2]; /* of the agent, for the keys to come, when it was given none */
};

#endif
