// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#include "context.h"

#include "tls.h"

/* An external PSK without a hash of its own goes with SHA-256 (RFC 8446
 * 4.2.11), so that suites of SHA-384 would only ever drop the key. */
static const char suites13[] =
	"TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256";

/* Forward secrecy first, then AEAD, then what RFC 5352 9.2 and RFC 4279 name.
 * Each suite is authenticated by the key and by nothing else: no RSA_PSK, no
 * anonymous suites. */
static const char suites12[] =
	"ECDHE-PSK-CHACHA20-POLY1305:ECDHE-PSK-AES128-CBC-SHA256:"
	"ECDHE-PSK-AES128-CBC-SHA:PSK-AES128-GCM-SHA256:"
	"PSK-AES128-CBC-SHA256:PSK-AES128-CBC-SHA";

/* A peer that proves itself by a certificate has not proved the key. */
static int refuse_certificate(X509_STORE_CTX *store, void *arg)
{
	(void)arg;
	X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
	return 0;
}

static int configure(SSL_CTX *ctx)
{
	SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
					 SSL_OP_NO_COMPRESSION |
					 SSL_OP_CIPHER_SERVER_PREFERENCE);
	/* Idle connections give their record buffers back. */
	SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
	return SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) &&
	       SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) &&
	       SSL_CTX_set_ciphersuites(ctx, suites13) &&
	       SSL_CTX_set_cipher_list(ctx, suites12) &&
	       SSL_CTX_set_num_tickets(ctx, 0);
}

SSL_CTX *psk_context(int server)
{
	SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() :
					    TLS_client_method());

	if (!ctx)
		return NULL;
	if (!configure(ctx)) {
		SSL_CTX_free(ctx);
		return NULL;
	}
	if (!server)
		SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(ctx, refuse_certificate, NULL);
	psk_set_callbacks(ctx, server);
	return ctx;
}
