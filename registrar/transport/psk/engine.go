// SPDX-License-Identifier: Apache-2.0

package psk

// All of this package's calls to C are in this file. None of them blocks, none
// calls back into Go, and none keeps a Go pointer.

/*
#cgo CFLAGS: -O2 -Wall -Wextra
#cgo LDFLAGS: -lssl -lcrypto
#cgo noescape psk_table_add
#cgo nocallback psk_table_add
#cgo noescape psk_handshake
#cgo nocallback psk_handshake
#cgo noescape psk_read
#cgo nocallback psk_read
#cgo noescape psk_write
#cgo nocallback psk_write
#cgo noescape psk_drain
#cgo nocallback psk_drain
#include "tls.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"sync"
	"unsafe"
)

// keyStore is the C side of Keys.
type keyStore struct {
	c *C.struct_psk_keys
}

func newKeyStore() (*keyStore, error) {
	var why *C.char
	c := C.psk_keys_new(&why)
	if c == nil {
		return nil, fmt.Errorf("set up OpenSSL for pre-shared keys: %s", C.GoString(why))
	}
	return &keyStore{c}, nil
}

func (s *keyStore) free() { C.psk_keys_free(s.c) }

// install replaces all keys by those of entries.
func (s *keyStore) install(entries []entry) error {
	table := C.psk_table_new(C.size_t(len(entries)))
	if table == nil {
		return errors.New("no memory for the keys")
	}
	for _, e := range entries {
		if C.psk_table_add(table, unsafe.Pointer(unsafe.StringData(e.identity)), C.size_t(len(e.identity)),
			unsafe.Pointer(unsafe.SliceData(e.key[:])), C.size_t(len(e.key))) == 0 {
			C.psk_table_free(table)
			return errors.New("an identity or a key is out of range")
		}
	}
	C.psk_keys_install(s.c, table)
	return nil
}

// status is what a step of the engine came to.
type status int

const (
	done   status = C.PSK_DONE
	want   status = C.PSK_WANT   // more of the peer's bytes
	closed status = C.PSK_CLOSED // the peer said close_notify
	failed status = C.PSK_FAILED
)

type result struct {
	status  status
	n       int    // bytes moved
	pending int    // bytes that wait for the peer; of read, only its own answers
	why     string // of failed
}

func goResult(r C.struct_psk_result) result {
	return result{status(r.code), int(r.n), int(r.pending), C.GoString(r.why)}
}

// claim is what a server learnt of its peer.
type claim struct {
	identity   string
	known, own bool
}

// engine is a TLS connection between two memory buffers. Its lock is held for
// the time of a call to C, never while anything waits.
type engine struct {
	mu sync.Mutex
	c  *C.struct_psk_conn // nil: freed
}

func newEngine(s *keyStore, server bool, cfg Config) (*engine, error) {
	side := C.int(0)
	if server {
		side = 1
	}
	c := C.psk_conn_new(s.c, side, unsafe.Pointer(unsafe.StringData(cfg.Identity)),
		C.size_t(len(cfg.Identity)), C.int(cfg.MinVersion), C.int(cfg.MaxVersion))
	if c == nil {
		return nil, errors.New("no memory for TLS, or the versions of TLS are out of range")
	}
	return &engine{c: c}, nil
}

// do runs one step, unless the engine is freed.
func (e *engine) do(step func() C.struct_psk_result) result {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.c == nil {
		return result{status: failed, why: "closed"}
	}
	return goResult(step())
}

// The slice expressions in the calls below are for cgo: with them it checks the
// bytes that are passed, and not the object around them, which may well be a
// struct with pointers.

// handshake takes bytes of the peer.
func (e *engine) handshake(in []byte) result {
	return e.do(func() C.struct_psk_result {
		return C.psk_handshake(e.c, unsafe.Pointer(unsafe.SliceData(in[:])), C.int(len(in)))
	})
}

// read takes bytes of the peer, and decrypts into out.
func (e *engine) read(in, out []byte) result {
	return e.do(func() C.struct_psk_result {
		return C.psk_read(e.c, unsafe.Pointer(unsafe.SliceData(in[:])), C.int(len(in)),
			unsafe.Pointer(unsafe.SliceData(out[:])), C.int(min(len(out), maxRecord)))
	})
}

// write encrypts p, at most maxRecord bytes of it.
func (e *engine) write(p []byte) result {
	return e.do(func() C.struct_psk_result {
		return C.psk_write(e.c, unsafe.Pointer(unsafe.SliceData(p[:])), C.int(len(p)))
	})
}

func (e *engine) shutdown() result {
	return e.do(func() C.struct_psk_result { return C.psk_shutdown(e.c) })
}

// drain moves what waits for the peer to out, and returns how much.
func (e *engine) drain(out []byte) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.c == nil || len(out) == 0 {
		return 0
	}
	return int(C.psk_drain(e.c, unsafe.Pointer(unsafe.SliceData(out[:])), C.int(len(out))))
}

func (e *engine) claim() claim {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.c == nil {
		return claim{}
	}
	c := C.psk_conn_claim(e.c)
	return claim{C.GoStringN(&c.identity[0], c.len), c.known != 0, c.own != 0}
}

// suite returns the version and the suite's standard name.
func (e *engine) suite() (Version, string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.c == nil {
		return 0, ""
	}
	return Version(C.psk_conn_version(e.c)), C.GoString(C.psk_conn_suite(e.c))
}

func (e *engine) free() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.c != nil {
		C.psk_conn_free(e.c)
		e.c = nil
	}
}
