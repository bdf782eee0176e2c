// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"testing"
	"time"

	"github.com/weir-lb/weir/bpf"
)

func at(seconds int64) time.Time { return time.Unix(seconds, 0) }

// rotate returns the key that is in use then, and the one before it.
func rotate(t *testing.T, m *bpf.WeirMaps, k SelectionKey, now time.Time, wantRotated bool) (key, before [2]uint64) {
	t.Helper()
	_, rotated, err := RotateSelection(m, k, now)
	must(t, err)
	if rotated != wantRotated {
		t.Errorf("at %d: another key %v, want %v", now.Unix(), rotated, wantRotated)
	}
	p := lookup[bpf.WeirParameters](t, m.Settings, uint32(0))
	return p.SelectKey, p.SelectBefore
}

func TestRotateSelection(t *testing.T) {
	m, other := newMaps(t), newMaps(t)
	secret := SelectionKey{Secret: []byte("0123456789abcdef"), Rotate: 100 * time.Second}
	first, zeroth := rotate(t, m, secret, at(1000), true)
	if next, _, err := RotateSelection(m, secret, at(1050)); err != nil || !next.Equal(at(1100)) {
		t.Errorf("the next key is due at %v, %v; want 1100", next, err)
	}
	if key, before := rotate(t, m, secret, at(1099), false); key != first || before != zeroth {
		t.Error("another key before its time")
	}
	second, before := rotate(t, m, secret, at(1100), true)
	if before != first || second == first || first == zeroth {
		t.Errorf("keys %x, %x, %x", zeroth, first, second)
	}
	// A gateway that starts now has the same keys.
	if key, before := rotate(t, other, secret, at(1150), true); key != second || before != first {
		t.Error("another gateway with the same secret has other keys")
	}
	// One that was away has its own last key before the current one.
	if _, before := rotate(t, m, secret, at(5000), true); before != second {
		t.Error("the key before is not the last that was in use")
	}
	sum := hmac.New(sha256.New, secret.Secret)
	sum.Write([]byte("weir selection\x00\x00\x00\x00\x00\x00\x00\x0b"))
	if want := binary.LittleEndian.Uint64(sum.Sum(nil)); second[0] != want {
		t.Errorf("key of epoch 11 begins with %x, want %x", second[0], want)
	}
}

func TestSelectionKeyWithoutRotation(t *testing.T) {
	m, other := newMaps(t), newMaps(t)
	random := lookup[bpf.WeirParameters](t, m.Settings, uint32(0)).SelectKey
	if key, before := rotate(t, m, SelectionKey{}, at(1000), false); key != random || before != [2]uint64{} {
		t.Error("the random key was replaced")
	}
	file := SelectionKey{Secret: []byte("0123456789abcdef")}
	shared, before := rotate(t, m, file, at(1000), true)
	if before != random {
		t.Error("the key before is not the one that was in use")
	}
	rotate(t, m, file, at(1_000_000), false)
	if key, _ := rotate(t, other, file, at(7), true); key != shared {
		t.Error("another gateway with the same secret has another key")
	}
	file.Secret = []byte("fedcba9876543210")
	if key, before := rotate(t, m, file, at(7), true); key == shared || before != shared {
		t.Error("another secret has no other key, or not the last one before it")
	}
}

// A random secret is kept with the maps, and is no other gateway's.
func TestRandomSelectionKeysRotate(t *testing.T) {
	m, other := newMaps(t), newMaps(t)
	hourly := SelectionKey{Rotate: time.Hour}
	first, _ := rotate(t, m, hourly, at(3600), true)
	must(t, WriteParameters(m, testClock(), limits(), testTimeouts())) // of an agent that starts
	if key, _ := rotate(t, m, hourly, at(7199), false); key != first {
		t.Error("a new agent has another key in the same hour")
	}
	second, before := rotate(t, m, hourly, at(7200), true)
	if before != first || second == first {
		t.Error("no other key in the next hour")
	}
	if key, _ := rotate(t, other, hourly, at(7200), true); key == second {
		t.Error("two gateways have one key by chance")
	}
}
