// SPDX-License-Identifier: Apache-2.0

package psk

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
)

// Keys are the pre-shared keys of this end, by identity, from a key file. They
// are safe for concurrent use, and are overwritten when they are replaced or
// no longer reachable.
type Keys struct {
	path  string
	store *keyStore

	mu         sync.Mutex // one Reload at a time; guards identities
	identities []string   // sorted
}

// LoadKeys reads a key file: a line is `identity:hexkey`, an empty line, or a
// comment that begins with #. An identity has 1 to 128 bytes of UTF-8 without
// control characters, a key 16 to 256 bytes. It refuses a file that is not
// regular, one that anybody but its owner may use (mode 0600), and any line
// with a mistake. Its errors never show a key.
func LoadKeys(path string) (*Keys, error) {
	store, err := newKeyStore()
	if err != nil {
		return nil, err
	}
	k := &Keys{path: path, store: store}
	runtime.AddCleanup(k, (*keyStore).free, store)
	if err := k.Reload(); err != nil {
		return nil, err
	}
	return k, nil
}

// Reload reads the key file again. It takes the new keys all or, with an error,
// none of them. Handshakes that begin afterwards use them; connections that
// stand are left alone.
func (k *Keys) Reload() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	text, err := readKeyFile(k.path)
	if err != nil {
		return err
	}
	defer clear(text)
	entries, err := parseKeys(text)
	if err != nil {
		return fmt.Errorf("key file %s: %w", k.path, err)
	}
	if err := k.store.install(entries); err != nil {
		return fmt.Errorf("key file %s: %w", k.path, err)
	}
	k.identities = make([]string, len(entries))
	for i, e := range entries { // sorted, as parseKeys leaves them
		k.identities[i] = e.identity
	}
	return nil
}

// Identities returns the identities that have a key, sorted.
func (k *Keys) Identities() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.identities)
}

// Has reports whether there is a key for an identity.
func (k *Keys) Has(identity string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	_, ok := slices.BinarySearch(k.identities, identity)
	return ok
}
