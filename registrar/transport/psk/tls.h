// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#ifndef WEIR_PSK_TLS_H
#define WEIR_PSK_TLS_H

#include <stddef.h>
#include <openssl/ssl.h>

#include "keys.h"

/* One TLS connection between two memory buffers. Not safe for concurrent use:
 * the caller holds one lock around each call. No call blocks. */
struct psk_conn;

enum psk_code {
	PSK_DONE,   /* n bytes moved, or the handshake is complete */
	PSK_WANT,   /* more bytes of the peer are needed */
	PSK_CLOSED, /* the peer said close_notify */
	PSK_FAILED, /* the connection is over; why says what OpenSSL saw */
};

struct psk_result {
	enum psk_code code;
	int n;		 /* bytes moved */
	int pending;	 /* bytes that wait for the peer */
	const char *why; /* static text, or NULL */
};

/* What the server learnt from the handshake, proven only when it finished. */
struct psk_claim {
	char identity[WEIR_PSK_MAX_IDENTITY];
	int len;   /* 0: none was offered, or it is too long to be one of ours */
	int known; /* there is a key for it */
	int own;   /* it is our own identity */
};

/* identity: a client's name for its key; a server's own name, which it refuses
 * to see as a peer's (RFC 9257 4.1, Selfie), length 0 for none. min and max: TLS
 * versions, 0 for the default. NULL when there is no memory or the versions
 * are out of range. */
struct psk_conn *psk_conn_new(struct psk_keys *keys, int server,
			      const void *identity, size_t idlen, int min,
			      int max);
void psk_conn_free(struct psk_conn *c);

/* Each takes n bytes of the peer first (n may be 0). After psk_read, pending
 * counts only what reading left for the peer: a writer's data may wait beside it. */
struct psk_result psk_handshake(struct psk_conn *c, const void *in, int n);
struct psk_result psk_read(struct psk_conn *c, const void *in, int n, void *out,
			   int cap);

struct psk_result psk_write(struct psk_conn *c, const void *p, int n);
/* Appends a close_notify to what waits for the peer. */
struct psk_result psk_shutdown(struct psk_conn *c);
/* Moves what waits for the peer to out, and returns how much. */
int psk_drain(struct psk_conn *c, void *out, int cap);

struct psk_claim psk_conn_claim(const struct psk_conn *c);
/* The version, such as TLS1_3_VERSION. */
int psk_conn_version(const struct psk_conn *c);
/* The suite's standard name (static text). */
const char *psk_conn_suite(const struct psk_conn *c);

/* For the contexts of keys.c. */
void psk_set_callbacks(SSL_CTX *ctx, int server);

#endif
