/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Every map: who writes, who reads, how long it lives, what full means.
 * All are pinned and outlive the agent, unless said otherwise. */
#ifndef WEIR_MAPS_H
#define WEIR_MAPS_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "types.h"

#define SELECTION_SLOTS 65537 /* unless the service has another number */
#define SELECTION_CELLS ((SELECTION_SLOTS + CELL_SLOTS - 1) / CELL_SLOTS)
#define MAX_SERVICES 16384
#define MAX_ELEMENTS 65536 /* rows are 16 bits wide in flows */
#define MAX_PREFIXES 65536
#define SKETCH_CELLS 65536 /* a row; a power of two */
#define SKETCH_ROWS 2

/* Written by the agent, read per packet. Full: the agent refuses the configuration. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ENDPOINT_BUCKETS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct endpoint_bucket);
} endpoints SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct endpoint_hints);
} endpoint_hints SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_SERVICES);
	__type(key, __u32);
	__type(value, struct service);
} services SEC(".maps");

/* Written by the agent, read per packet. Full: the element is left out and the agent says so. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_ELEMENTS);
	__type(key, __u32);
	__type(value, struct element);
} elements SEC(".maps");

struct selection {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SELECTION_CELLS);
	__uint(map_flags, BPF_F_MMAPABLE | BPF_F_INNER_MAP); /* of any size */
	__type(key, __u32);
	__uint(value_size, sizeof(struct selection_cell));
};

/* One selection table a service: filled by the agent, then swapped in whole. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, MAX_SERVICES);
	__type(key, __u32);
	__array(values, struct selection);
} selections SEC(".maps");

/* Of services with SPREAD_TURNS, whose turn is next on each core: a slot. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MAX_SERVICES);
	__type(key, __u32);
	__type(value, __u32);
} turns SEC(".maps");

/* New flows of each element since the agent last looked, where the spread is not SPREAD_CONSISTENT. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, MAX_ELEMENTS);
	__type(key, __u32);
	__type(value, __u64);
} chosen SEC(".maps");

/* Clients that services are or are not for; value: enum access_rule. Written by the agent, read when a
 * flow begins. Full: the agent refuses the configuration. */
struct {
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);
	__uint(max_entries, MAX_PREFIXES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct access_key);
	__type(value, __u32);
} access SEC(".maps");

/* Written and read per packet, swept by the agent through its memory, which makes it as large as
 * the configuration says. Full: no entry of a live flow goes; see flow.h. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct flow_bucket);
} flows SEC(".maps");

/* Beside flows, of the same size; written when an IPv6 flow begins, read by the agent. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 65536);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct flow_client);
} flow_clients SEC(".maps");

/* Written and read per fragment. Full: the oldest of a bucket gives way, and the rest of its packet is
 * left to the stack. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FRAGMENT_BUCKETS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct fragment_bucket);
} fragments SEC(".maps");

/* Written when an association of SCTP begins, read when one is met at another address. Full: that of a bucket
 * which was used longest ago gives way, and new addresses of its client choose like other clients. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ASSOCIATION_BUCKETS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, struct association_bucket);
} associations SEC(".maps");

/* Interfaces that take redirected packets, by ifindex; written by the agent. */
struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP_HASH);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, __u32);
} tx_ports SEC(".maps");

/* Written by the agent, read per packet. What it holds ends by itself when the agent does. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct uplinks);
} uplinks SEC(".maps");

/* Authenticated sessions' peers; value: expiry. Written by the agent, cleared when it starts
 * (its sessions died with it). Full: the agent logs it and the session stays a newcomer. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 131072);
	__type(key, struct peer_key);
	__type(value, __u64);
} admitted SEC(".maps");

/* Connections let in and not yet admitted. Inserted only against a budget, never once per
 * spoofed packet. Full: the oldest goes, its handshake starts over. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct newcomer_key);
	__type(value, struct newcomer);
} newcomers SEC(".maps");

/* Addresses that answered a challenge; value: expiry. Full: the oldest proves itself again. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct address);
	__type(value, __u64);
} proven SEC(".maps");

/* SYNs a source and second, a count-min sketch: SKETCH_ROWS rows of SKETCH_CELLS. Never full. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, SKETCH_ROWS * SKETCH_CELLS);
	__type(key, __u32);
	__type(value, struct sketch_cell);
} sketch SEC(".maps");

/* The buckets' virtual schedules: ns of the next free place. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, BUDGET_MAX);
	__type(key, __u32);
	__type(value, __u64);
} budgets SEC(".maps");

/* Written by the agent at start and reload. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct parameters);
} settings SEC(".maps");

/* One row a verdict, written per packet, read by the agent. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, VERDICT_MAX);
	__type(key, __u32);
	__type(value, struct count);
} counters SEC(".maps");

/* One row a tally, as counters. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, TALLY_MAX);
	__type(key, __u32);
	__type(value, __u64);
} tallies SEC(".maps");

#endif
