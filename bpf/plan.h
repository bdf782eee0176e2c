/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the stages decide to do with a packet beside its verdict. It is done once, at the end, so
 * that the code for it is in the program once. */
#ifndef WEIR_PLAN_H
#define WEIR_PLAN_H

#include "types.h"

/* A TCP segment without options or data. */
struct segment {
	__u32 seq;
	__u32 ack;
	__u8 flags; /* TCP_* */
	__u8 pad[3];
};

struct plan {
	__u16 row;              /* of VERDICT_STEER_FORWARD: the element; of _RETURN: the service */
	__u16 mtu;              /* of VERDICT_STEER_TOO_BIG: what would have fitted */
	__u16 spread;           /* of _FORWARD: bits of the flow's hash, so that networks tell tunnelled flows apart */
	__u16 quoted;           /* of VERDICT_STEER_ICMP: where the quoted packet's ports are */
	__u8 quoted_protocol;
	__u8 back;              /* of VERDICT_STEER_ICMP: 1: to the client, row is the service; 0: to the element */
	__u16 pad;
	struct segment answer;  /* of verdicts that answer */
	__u32 otherwise;        /* enum verdict, when the answer cannot be given */
};

#endif
