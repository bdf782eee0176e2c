// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
#ifndef WEIR_PSK_CONN_H
#define WEIR_PSK_CONN_H

#include "tls.h"

struct psk_conn {
	SSL *ssl;
	BIO *in, *out; /* owned by ssl */
	struct psk_keys *keys;
	struct psk_claim claim;
	size_t answers; /* bytes in out that reading left there */
	size_t idlen;
	char identity[WEIR_PSK_MAX_IDENTITY];
};

#endif
