// SPDX-License-Identifier: Apache-2.0

package pe

const (
	failuresToDown  = 3
	successesToHeal = 2
)

// health turns check results into well or not well. Only results in a row
// count: one success forgets all failures before it, and the reverse. The very
// first result decides alone, so that a server that is up is registered at
// once and one that is still starting is not registered at all.
type health struct {
	well   bool
	judged bool // there was a result, or there is no check
	run    int  // results in a row that contradict well
}

// record takes one result, and tells whether it changed well.
func (h *health) record(ok bool) (changed bool) {
	if !h.judged {
		h.judged, h.well = true, ok
		return ok
	}
	if ok == h.well {
		h.run = 0
		return false
	}
	h.run++
	if (h.well && h.run < failuresToDown) || (!h.well && h.run < successesToHeal) {
		return false
	}
	h.well, h.run = ok, 0
	return true
}
