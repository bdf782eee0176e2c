// SPDX-License-Identifier: Apache-2.0

package control

import (
	"crypto/hmac"
	"crypto/sha256"
	"slices"
)

// Sign is a cookie of state that an element of the pool can verify that has the
// same key (RFC 5352 3.8: "a cookie should be signed"): HMAC-SHA-256 and the
// state. The state can be read by all who see the cookie, and an old cookie is
// as good as a new one: what must not be replayed needs a time in it.
func Sign(key, state []byte) []byte { return append(mac(key, state), state...) }

// Verify is the state of a cookie, if Sign made it with this key.
func Verify(key, cookie []byte) (state []byte, ok bool) {
	if len(cookie) < sha256.Size {
		return nil, false
	}
	state = slices.Clone(cookie[sha256.Size:])
	if !hmac.Equal(cookie[:sha256.Size], mac(key, state)) {
		return nil, false
	}
	return state, true
}

func mac(key, state []byte) []byte {
	h := hmac.New(sha256.New, key)
	h.Write(state)
	return h.Sum(nil)
}
