// SPDX-License-Identifier: Apache-2.0

package asap

import "container/heap"

// queued is what has something to do at some time.
type queued interface {
	due() instant // when; 0: never
	place() *int  // where it is in its queue
}

// queue is all that has something to do, as a heap by the time it was put at. What became due later than that stays where
// it is until that time is first of all: most that is put off is put off again, and so costs nothing.
type queue[T queued] struct{ all []entry[T] }

type entry[T queued] struct {
	at   instant // not later than the item is due; 0 if it is never due, and then last
	item T
}

func (q *queue[T]) add(item T) { heap.Push((*entries[T])(q), entry[T]{item.due(), item}) }

func (q *queue[T]) remove(item T) { heap.Remove((*entries[T])(q), *item.place()) }

// moved must be called when an item may have become due earlier or later.
func (q *queue[T]) moved(item T) {
	e := &q.all[*item.place()]
	if due := item.due(); due != 0 && (e.at == 0 || due < e.at) {
		e.at = due
		heap.Fix((*entries[T])(q), *item.place())
	}
}

// first is what is due next; false if nothing ever is.
func (q *queue[T]) first() (item T, due instant, ok bool) {
	for len(q.all) > 0 && q.all[0].at != 0 {
		e := &q.all[0]
		if due = e.item.due(); due == e.at {
			return e.item, due, true
		}
		e.at = due
		heap.Fix((*entries[T])(q), 0)
	}
	return item, 0, false
}

// entries is a queue as container/heap has it.
type entries[T queued] queue[T]

// Len, Less, Swap, Push and Pop are container/heap's.
func (q *entries[T]) Len() int { return len(q.all) }

// Less has what is due earlier first, what is never due last.
func (q *entries[T]) Less(i, j int) bool {
	a, b := q.all[i].at, q.all[j].at
	return a != 0 && (b == 0 || a < b)
}

// Swap keeps each item's place.
func (q *entries[T]) Swap(i, j int) {
	q.all[i], q.all[j] = q.all[j], q.all[i]
	*q.all[i].item.place(), *q.all[j].item.place() = i, j
}

// Push adds an entry at the end.
func (q *entries[T]) Push(x any) {
	e := x.(entry[T])
	*e.item.place() = len(q.all)
	q.all = append(q.all, e)
}

// Pop takes the last off.
func (q *entries[T]) Pop() any {
	last := len(q.all) - 1
	e := q.all[last]
	q.all[last] = entry[T]{}
	q.all = q.all[:last]
	return e
}
