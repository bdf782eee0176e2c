// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"container/list"
	"context"
	"sync"
)

// places bounds the connections that have not proved anything. When all are
// taken the oldest gives way: a peer with a key is through in a few
// milliseconds, so that who waits long is rarely one of ours.
type places struct {
	mu     sync.Mutex
	limit  int
	oldest *list.List // of context.CancelCauseFunc, the oldest at the front
}

func newPlaces(limit int) *places { return &places{limit: limit, oldest: list.New()} }

// take gives a place to the connection that evict ends, and takes one from the
// oldest if need be, which learns of errTooMany.
func (p *places) take(evict context.CancelCauseFunc) (leave func() (held bool)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.oldest.Len() >= p.limit {
		p.oldest.Remove(p.oldest.Front()).(context.CancelCauseFunc)(errTooMany)
	}
	mine := p.oldest.PushBack(evict)
	return func() bool { return p.leave(mine) }
}

// leave reports whether the place was still held.
func (p *places) leave(mine *list.Element) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.oldest.Len()
	p.oldest.Remove(mine) // nothing, if it is no longer in the list
	return p.oldest.Len() < before
}
