// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"github.com/weir-lb/weir/bpf"
)

// SelectionKey says where the key of consistent spreading comes from.
type SelectionKey struct {
	Secret []byte        // that gateways share; nil: one of our own, random and kept with the maps
	Rotate time.Duration // how long a key is in use, counted from 1970; 0: for ever
}

// RotateSelection writes the key that is due, and the one before it, which segments in the middle of a
// connection are tried with when the flow table has lost their flow. It returns when the next one is due (the
// zero time: never), and whether there is another one now. The settings must be written.
//
// Keys are a function of the secret and the time, so that gateways that share a secret and have a clock agree
// without a word, and no key tells of another one.
func RotateSelection(m *bpf.WeirMaps, k SelectionKey, now time.Time) (next time.Time, rotated bool, err error) {
	p, err := readSettings(m)
	if err != nil {
		return next, false, err
	}
	was := p
	epoch := int64(0)
	if k.Rotate > 0 {
		epoch = now.UnixNano() / int64(k.Rotate)
		next = time.Unix(0, (epoch+1)*int64(k.Rotate))
	}
	if k.Secret == nil && p.SelectSecret == [2]uint64{} {
		p.SelectSecret = newKey()
	}
	if k.Secret != nil || k.Rotate > 0 { // else the random key that is there stays
		k.due(&p, epoch)
	}
	if p == was {
		return next, false, nil
	}
	if err := m.Settings.Put(uint32(0), p); err != nil {
		return next, false, fmt.Errorf("write the selection's key: %w", err)
	}
	return next, p.SelectKey != was.SelectKey, nil
}

// due puts the key of the epoch in the place of another one. The first one on new maps has the key of the
// epoch before it beside it, as the other gateways have.
func (k SelectionKey) due(p *bpf.WeirParameters, epoch int64) {
	secret := k.Secret
	if secret == nil {
		secret = binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, p.SelectSecret[0]), p.SelectSecret[1])
	}
	key := selectionKey(secret, epoch)
	if key == p.SelectKey {
		return
	}
	before := p.SelectKey
	if p.SelectBefore == [2]uint64{} && k.Rotate > 0 {
		before = selectionKey(secret, epoch-1)
	}
	p.SelectKey, p.SelectBefore = key, before
}

// selectionKey is the first 16 bytes of HMAC-SHA-256 over the epoch's number.
func selectionKey(secret []byte, epoch int64) [2]uint64 {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("weir selection"))
	mac.Write(binary.BigEndian.AppendUint64(nil, uint64(epoch)))
	sum := mac.Sum(nil)
	return [2]uint64{binary.LittleEndian.Uint64(sum), binary.LittleEndian.Uint64(sum[8:])}
}
