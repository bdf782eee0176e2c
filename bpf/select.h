/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Selection: which element a new flow gets. */
#ifndef WEIR_SELECT_H
#define WEIR_SELECT_H

#include "maps.h"
#include "siphash.h"

#define SELECT_TRIES 8 /* slots looked at for an active element whose way back is free */

/* The element in the given slot of the service's table, by its row; 0: none. */
static __always_inline __u16 selected(__u32 service, const struct service *s, __u64 hash)
{
	__u32 slot = ((hash & 0xffffffff) * s->slots) >> 32, at = slot / CELL_SLOTS;
	void *table = bpf_map_lookup_elem(&selections, &service);

	if (!table)
		return 0;
	struct selection_cell *cell = bpf_map_lookup_elem(table, &at);
	return cell ? cell->elements[slot % CELL_SLOTS] : 0;
}

#endif
