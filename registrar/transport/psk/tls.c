// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "tls.h"

#include <string.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>

#include "conn.h"

static int start(struct psk_conn *c, int server, int min, int max)
{
	c->ssl = SSL_new(psk_keys_context(c->keys, server));
	if (!c->ssl)
		return 0;
	c->in = BIO_new(BIO_s_mem());
	c->out = BIO_new(BIO_s_mem());
	if (!c->in || !c->out) {
		BIO_free(c->in);
		BIO_free(c->out);
		return 0;
	}
	SSL_set_bio(c->ssl, c->in, c->out);
	SSL_set_app_data(c->ssl, c);
	if (min && !SSL_set_min_proto_version(c->ssl, min))
		return 0;
	if (max && !SSL_set_max_proto_version(c->ssl, max))
		return 0;
	if (server)
		SSL_set_accept_state(c->ssl);
	else
		SSL_set_connect_state(c->ssl);
	return 1;
}

struct psk_conn *psk_conn_new(struct psk_keys *keys, int server,
			      const void *identity, size_t idlen, int min,
			      int max)
{
	struct psk_conn *c;

	if (idlen > sizeof(c->identity))
		return NULL;
	c = OPENSSL_zalloc(sizeof(*c));
	if (!c)
		return NULL;
	c->keys = keys;
	c->idlen = idlen;
	if (idlen)
		memcpy(c->identity, identity, idlen);
	if (start(c, server, min, max))
		return c;
	psk_conn_free(c);
	return NULL;
}

void psk_conn_free(struct psk_conn *c)
{
	SSL_free(c->ssl);
	OPENSSL_free(c);
}

static struct psk_result failed(const char *why)
{
	return (struct psk_result){ .code = PSK_FAILED, .why = why };
}

/* OpenSSL's answer to a call that returned ok; its errors are of this thread,
 * so that they are read before the call returns to Go. */
static struct psk_result result(struct psk_conn *c, int ok, size_t n)
{
	struct psk_result r = { .code = PSK_DONE, .n = (int)n };

	if (ok <= 0) {
		switch (SSL_get_error(c->ssl, ok)) {
		case SSL_ERROR_WANT_READ:
			r.code = PSK_WANT;
			break;
		case SSL_ERROR_ZERO_RETURN:
			r.code = PSK_CLOSED;
			break;
		default:
			r = failed(ERR_reason_error_string(ERR_peek_error()));
		}
	}
	r.pending = (int)BIO_ctrl_pending(c->out);
	return r;
}

static int feed(struct psk_conn *c, const void *in, int n)
{
	ERR_clear_error();
	return !n || BIO_write(c->in, in, n) == n;
}

/* The keys, and nothing but the keys, must have authenticated the peer: in TLS
 * 1.3 an accepted PSK counts as a resumption, in TLS 1.2 the suite tells. */
static int proven(const struct psk_conn *c)
{
	if (!c->claim.known)
		return 0;
	if (SSL_version(c->ssl) == TLS1_3_VERSION)
		return SSL_session_reused(c->ssl);
	return SSL_CIPHER_get_auth_nid(SSL_get_current_cipher(c->ssl)) ==
	       NID_auth_psk;
}

struct psk_result psk_handshake(struct psk_conn *c, const void *in, int n)
{
	struct psk_result r;

	if (!feed(c, in, n))
		return failed("no memory");
	r = result(c, SSL_do_handshake(c->ssl), 0);
	if (r.code == PSK_DONE && !proven(c))
		return failed("the peer did not prove a key");
	return r;
}

struct psk_result psk_read(struct psk_conn *c, const void *in, int n, void *out,
			   int cap)
{
	struct psk_result r;
	size_t before, got = 0;
	int ok;

	if (!feed(c, in, n))
		return failed("no memory");
	before = BIO_ctrl_pending(c->out);
	ok = SSL_read_ex(c->ssl, out, cap, &got);
	c->answers += BIO_ctrl_pending(c->out) - before;
	r = result(c, ok, got);
	r.pending = (int)c->answers;
	return r;
}

struct psk_result psk_write(struct psk_conn *c, const void *p, int n)
{
	size_t put = 0;
	int ok;

	ERR_clear_error();
	ok = SSL_write_ex(c->ssl, p, n, &put);
	return result(c, ok, put);
}

struct psk_result psk_shutdown(struct psk_conn *c)
{
	int rc;

	ERR_clear_error();
	rc = SSL_shutdown(c->ssl);
	return result(c, rc >= 0, 0); /* 0: sent, the peer's not yet seen */
}

int psk_drain(struct psk_conn *c, void *out, int cap)
{
	int n = BIO_read(c->out, out, cap);

	if (!BIO_ctrl_pending(c->out))
		c->answers = 0;
	return n > 0 ? n : 0;
}

struct psk_claim psk_conn_claim(const struct psk_conn *c)
{
	return c->claim;
}

int psk_conn_version(const struct psk_conn *c)
{
	return SSL_version(c->ssl);
}

const char *psk_conn_suite(const struct psk_conn *c)
{
	const SSL_CIPHER *suite = SSL_get_current_cipher(c->ssl);

	return suite ? SSL_CIPHER_standard_name(suite) : "";
}
