// SPDX-License-Identifier: Apache-2.0

package main

import (
	"slices"

	"github.com/weir-lb/weir/agent/pu"
	"github.com/weir-lb/weir/registrar/wire"
)

// watch tells changes of a pool, and failovers of somebody who uses one element
// of it for as long as the pool has it.
type watch struct {
	printer printer
	choose  func() (wire.PoolElement, error)

	last   *pu.Pool          // as shown; nil: nothing yet
	inUse  *wire.PoolElement // nil: none yet
	faulty string            // what was said last
}

// see takes what pu.Watch yields. Its error is the printer's.
func (w *watch) see(p pu.Pool, fault error) error {
	if err := w.fault(fault); err != nil {
		return err
	}
	switch {
	case len(p.Elements) == 0 && w.last == nil:
		return nil
	case w.last == nil:
		if err := w.printer.pool(p); err != nil {
			return err
		}
	default:
		if len(p.Elements) == 0 { // an empty pool is none: what was in it has left
			p.Handle, p.Policy = w.last.Handle, w.last.Policy
		}
		if p.Same(*w.last) {
			return nil
		}
		if err := w.printer.change(*w.last, p); err != nil {
			return err
		}
	}
	w.last = &p
	return w.use(p)
}

// fault says what is wrong once.
func (w *watch) fault(err error) error {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text == w.faulty {
		return nil
	}
	w.faulty = text
	if text == "" {
		return nil
	}
	return w.printer.fault(err)
}

// use chooses an element if none is in use, or the one that was has left.
func (w *watch) use(p pu.Pool) error {
	if len(p.Elements) == 0 {
		return nil // to choose would be to wait for the next answer
	}
	if w.inUse != nil && slices.ContainsFunc(p.Elements, func(e wire.PoolElement) bool { return e.ID == w.inUse.ID }) {
		return nil
	}
	next, err := w.choose()
	if err != nil {
		return nil // nobody to fail over to yet
	}
	old := w.inUse
	w.inUse = &next
	if old == nil {
		return nil
	}
	return w.printer.failover(p.Handle, *old, next)
}
