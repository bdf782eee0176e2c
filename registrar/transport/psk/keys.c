// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "keys.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/err.h>

#include "context.h"

struct row {
	size_t idlen, keylen;
	unsigned char id[WEIR_PSK_MAX_IDENTITY];
	unsigned char key[WEIR_PSK_MAX_KEY];
};

struct psk_table {
	size_t rows, cap;
	struct row row[];
};

struct psk_keys {
	pthread_mutex_t lock; /* guards table; held for a copy, never longer */
	struct psk_table *table;
	SSL_CTX *client, *server;
};

/* Byte by byte: memcpy leaves a key behind in vector registers, from where the
 * next signal or lazily bound call saves it to some stack. */
static void copy_key(unsigned char *to, const unsigned char *from, size_t n)
{
	volatile unsigned char *p = to;

	while (n--)
		*p++ = *from++;
}

static size_t table_size(size_t rows)
{
	return sizeof(struct psk_table) + rows * sizeof(struct row);
}

struct psk_table *psk_table_new(size_t rows)
{
	struct psk_table *t = OPENSSL_zalloc(table_size(rows));

	if (t)
		t->cap = rows;
	return t;
}

int psk_table_add(struct psk_table *t, const void *id, size_t idlen,
		  const void *key, size_t keylen)
{
	struct row *r;

	if (t->rows == t->cap || !idlen || idlen > sizeof(r->id) || !keylen ||
	    keylen > sizeof(r->key))
		return 0;
	r = &t->row[t->rows++];
	r->idlen = idlen;
	r->keylen = keylen;
	memcpy(r->id, id, idlen);
	copy_key(r->key, key, keylen);
	return 1;
}

void psk_table_free(struct psk_table *t)
{
	if (t)
		OPENSSL_clear_free(t, table_size(t->cap));
}

static int compare_rows(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->idlen != y->idlen)
		return x->idlen < y->idlen ? -1 : 1;
	return memcmp(x->id, y->id, x->idlen);
}

struct psk_keys *psk_keys_new(const char **why)
{
	struct psk_keys *k = OPENSSL_zalloc(sizeof(*k));

	ERR_clear_error();
	if (k) {
		pthread_mutex_init(&k->lock, NULL);
		k->client = psk_context(0);
		k->server = psk_context(1);
	}
	if (k && k->client && k->server)
		return k;
	*why = ERR_reason_error_string(ERR_peek_error());
	psk_keys_free(k);
	return NULL;
}

void psk_keys_install(struct psk_keys *k, struct psk_table *t)
{
	struct psk_table *old;

	qsort(t->row, t->rows, sizeof(t->row[0]), compare_rows);
	pthread_mutex_lock(&k->lock);
	old = k->table;
	k->table = t;
	pthread_mutex_unlock(&k->lock);
	psk_table_free(old);
}

void psk_keys_free(struct psk_keys *k)
{
	if (!k)
		return;
	psk_table_free(k->table);
	SSL_CTX_free(k->client);
	SSL_CTX_free(k->server);
	pthread_mutex_destroy(&k->lock);
	OPENSSL_free(k);
}

size_t psk_keys_find(struct psk_keys *k, const void *id, size_t idlen,
		     unsigned char key[WEIR_PSK_MAX_KEY])
{
	struct row want = { .idlen = idlen };
	const struct row *r = NULL;
	size_t n = 0;

	if (!idlen || idlen > sizeof(want.id))
		return 0;
	memcpy(want.id, id, idlen);
	pthread_mutex_lock(&k->lock);
	if (k->table)
		r = bsearch(&want, k->table->row, k->table->rows,
			    sizeof(want), compare_rows);
	if (r) {
		n = r->keylen;
		copy_key(key, r->key, n);
	}
	pthread_mutex_unlock(&k->lock);
	return n;
}

SSL_CTX *psk_keys_context(struct psk_keys *k, int server)
{
	return server ? k->server : k->client;
}
