// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#ifndef WEIR_PSK_CONTEXT_H
#define WEIR_PSK_CONTEXT_H

#include <openssl/ssl.h>

/* The settings of every connection of one side: pre-shared keys only, no
 * tickets, no resumption, no renegotiation. NULL and OpenSSL's error queue on
 * failure. */
SSL_CTX *psk_context(int server);

#endif
