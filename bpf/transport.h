/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* SCTP and DCCP, as far as steering looks into them. What a packet does to its flow is said by the flags
 * of TCP, so that a later stage asks the same of all that have connections. */
#ifndef WEIR_TRANSPORT_H
#define WEIR_TRANSPORT_H

#include <linux/in.h>
#include <linux/types.h>
#include <bpf/bpf_helpers.h>

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

#define SCTP_ACCEPTED 0x08 /* beside TCP's: the cookie was good */

/* RFC 9260 3.1. */
struct sctp_header {
	__be16 source;
	__be16 dest;
	__be32 tag;
	__u32 check; /* CRC32c, its least significant byte first */
};

struct sctp_chunk {
	__u8 type; /* SCTP_* */
	__u8 flags;
	__be16 length; /* with this header, without padding */
};

/* Chunk types (RFC 9260 3.2). */
#define SCTP_INIT 1
#define SCTP_INIT_ACK 2
#define SCTP_ABORT 6
#define SCTP_COOKIE_ACK 11
#define SCTP_SHUTDOWN_COMPLETE 14

/* RFC 4340 5.1: with 48 bits of sequence number (X) 4 bytes more. */
struct dccp_header {
	__be16 source;
	__be16 dest;
	__u8 offset;   /* of the data, in words */
	__u8 coverage; /* and CCVal */
	__u16 check;
	__u8 type;     /* 3 bits reserved, 4 of DCCP_*, X */
	__u8 sequence[3];
};
#define DCCP_LONGER 4

/* Packet types (RFC 4340 5.1, table 1). */
#define DCCP_REQUEST 0
#define DCCP_RESPONSE 1
#define DCCP_CLOSE 6
#define DCCP_RESET 7

/* What is bound to be answered, or forgotten, in another way than a connection. */
static __always_inline int is_datagram(__u8 protocol)
{
	return protocol == IPPROTO_UDP || protocol == IPPROTO_UDPLITE;
}

/* Of a packet by its first chunk. INIT, INIT ACK and SHUTDOWN COMPLETE are alone in theirs (RFC 9260 6.10);
 * an ABORT behind other chunks is not seen. A function of its own, as dccp_flags, so that the verifier
 * does not go through the rest for each type. */
__noinline __u32 sctp_flags(__u32 chunk)
{
	switch (chunk) {
	case SCTP_INIT:
		return TCP_SYN;
	case SCTP_INIT_ACK:
		return TCP_SYN | TCP_ACK;
	case SCTP_COOKIE_ACK: /* always the first chunk (RFC 9260 5.1) */
		return TCP_ACK | SCTP_ACCEPTED;
	case SCTP_ABORT:
	case SCTP_SHUTDOWN_COMPLETE:
		return TCP_RST;
	default:
		return TCP_ACK;
	}
}

/* A Close is answered by a Reset (RFC 4340 8.3). */
__noinline __u32 dccp_flags(__u32 type)
{
	switch (type) {
	case DCCP_REQUEST:
		return TCP_SYN;
	case DCCP_RESPONSE:
		return TCP_SYN | TCP_ACK;
	case DCCP_CLOSE:
		return TCP_FIN | TCP_ACK;
	case DCCP_RESET:
		return TCP_RST;
	default:
		return TCP_ACK;
	}
}

#endif
