// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#ifndef WEIR_PSK_KEYS_H
#define WEIR_PSK_KEYS_H

#include <stddef.h>
#include <openssl/ssl.h>

#define WEIR_PSK_MAX_IDENTITY 128 /* bytes, without a terminating zero */
#define WEIR_PSK_MAX_KEY 256	  /* bytes */

/* A table of identities and keys: filled once, then installed. */
struct psk_table;

/* The installed table behind a lock, and the contexts of both sides. */
struct psk_keys;

/* NULL when there is no memory. */
struct psk_table *psk_table_new(size_t rows);
/* 0 when a length is out of range or the table is full. */
int psk_table_add(struct psk_table *t, const void *id, size_t idlen,
		  const void *key, size_t keylen);
/* Overwrites every key before it frees them. */
void psk_table_free(struct psk_table *t);

/* NULL on failure, and *why says what OpenSSL had against it (static text). */
struct psk_keys *psk_keys_new(const char **why);
/* Takes t over, and frees the table that it replaces. */
void psk_keys_install(struct psk_keys *k, struct psk_table *t);
void psk_keys_free(struct psk_keys *k);

/* Copies the key of an identity to key, and returns its length; 0 and key
 * untouched when there is none. */
size_t psk_keys_find(struct psk_keys *k, const void *id, size_t idlen,
		     unsigned char key[WEIR_PSK_MAX_KEY]);
SSL_CTX *psk_keys_context(struct psk_keys *k, int server);

#endif
