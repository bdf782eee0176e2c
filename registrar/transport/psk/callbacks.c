// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* The callbacks that give OpenSSL a key. They run inside a handshake and stay
 * in C: keys never pass through Go memory here. */
#include <string.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "conn.h"

#define DECOY_KEY 32 /* bytes of the random key for an unknown identity */

/* The key for what a peer claims to be. An unknown identity and our own get a
 * random key, drawn for every peer alike, so that the handshake fails where
 * that of a wrong key fails, with the same alert. 0 only without randomness. */
static size_t claimed_key(struct psk_conn *c, const void *id, size_t idlen,
			  unsigned char key[WEIR_PSK_MAX_KEY])
{
	struct psk_claim *claim = &c->claim;
	size_t n;

	if (RAND_priv_bytes(key, DECOY_KEY) != 1)
		return 0;
	memset(claim, 0, sizeof(*claim));
	if (!idlen || idlen > sizeof(claim->identity))
		return DECOY_KEY;
	memcpy(claim->identity, id, idlen);
	claim->len = (int)idlen;
	claim->own = idlen == c->idlen && !memcmp(id, c->identity, idlen);
	if (claim->own)
		return DECOY_KEY;
	n = psk_keys_find(c->keys, id, idlen, key);
	claim->known = n > 0;
	return n ? n : DECOY_KEY;
}

/* TLS 1.3 takes an external PSK as a session whose master key it is. */
static SSL_SESSION *external_session(SSL *ssl, const unsigned char *key,
				     size_t n)
{
	static const unsigned char aes128gcm_sha256[] = { 0x13, 0x01 };
	const SSL_CIPHER *suite = SSL_CIPHER_find(ssl, aes128gcm_sha256);
	SSL_SESSION *s = SSL_SESSION_new();

	if (s && suite && SSL_SESSION_set1_master_key(s, key, n) &&
	    SSL_SESSION_set_cipher(s, suite) &&
	    SSL_SESSION_set_protocol_version(s, TLS1_3_VERSION))
		return s;
	SSL_SESSION_free(s);
	return NULL;
}

static int server13(SSL *ssl, const unsigned char *id, size_t idlen,
		    SSL_SESSION **sess)
{
	unsigned char key[WEIR_PSK_MAX_KEY];
	size_t n = claimed_key(SSL_get_app_data(ssl), id, idlen, key);

	*sess = n ? external_session(ssl, key, n) : NULL;
	OPENSSL_cleanse(key, sizeof(key));
	return *sess != NULL;
}

static unsigned int server12(SSL *ssl, const char *id, unsigned char *out,
			     unsigned int cap)
{
	unsigned char key[WEIR_PSK_MAX_KEY];
	size_t n = 0;

	if (id)
		n = claimed_key(SSL_get_app_data(ssl), id, strlen(id), key);
	if (n > cap)
		n = 0;
	memcpy(out, key, n);
	OPENSSL_cleanse(key, sizeof(key));
	return (unsigned int)n;
}

/* A client's key; 0 when a reload took it away. */
static size_t own_key(struct psk_conn *c, unsigned char key[WEIR_PSK_MAX_KEY])
{
	size_t n = psk_keys_find(c->keys, c->identity, c->idlen, key);

	c->claim.len = (int)c->idlen;
	memcpy(c->claim.identity, c->identity, c->idlen);
	c->claim.known = n > 0;
	return n;
}

static int client13(SSL *ssl, const EVP_MD *md, const unsigned char **id,
		    size_t *idlen, SSL_SESSION **sess)
{
	struct psk_conn *c = SSL_get_app_data(ssl);
	unsigned char key[WEIR_PSK_MAX_KEY];
	size_t n = own_key(c, key);

	*sess = NULL;
	/* md: the hash of the suite that a HelloRetryRequest chose. */
	if (n && (!md || EVP_MD_is_a(md, "SHA256")))
		*sess = external_session(ssl, key, n);
	OPENSSL_cleanse(key, sizeof(key));
	*id = (const unsigned char *)c->identity;
	*idlen = c->idlen;
	return *sess != NULL;
}

static unsigned int client12(SSL *ssl, const char *hint, char *id,
			     unsigned int idcap, unsigned char *out,
			     unsigned int cap)
{
	struct psk_conn *c = SSL_get_app_data(ssl);
	unsigned char key[WEIR_PSK_MAX_KEY];
	size_t n = own_key(c, key);

	(void)hint; /* RFC 4279 5.2: ignored unless an application profile says otherwise */
	if (n > cap || c->idlen >= idcap)
		n = 0;
	if (n) {
		memcpy(out, key, n);
		memcpy(id, c->identity, c->idlen);
		id[c->idlen] = 0;
	}
	OPENSSL_cleanse(key, sizeof(key));
	return (unsigned int)n;
}

void psk_set_callbacks(SSL_CTX *ctx, int server)
{
	if (server) {
		SSL_CTX_set_psk_find_session_callback(ctx, server13);
		SSL_CTX_set_psk_server_callback(ctx, server12);
		return;
	}
	SSL_CTX_set_psk_use_session_callback(ctx, client13);
	SSL_CTX_set_psk_client_callback(ctx, client12);
}
