// SPDX-License-Identifier: Apache-2.0

package pe

import (
	"math"
	"time"
)

// How measurements become the load that is reported, and when.
const (
	// newest is the part of the newest measurement in the load, the rest is the load before it: after five measurements
	// of a new value the load is nine tenths of the way to it.
	newest = 0.4
	// unmeasured is how many measurements in a row fail until the load counts as full.
	unmeasured = 3
	// loadStep is the change of load that is worth a registration by itself: 5 % of the full load.
	loadStep = math.MaxUint32 / 20
	// loadGap is the least time between two registrations that report a load.
	loadGap = time.Second
	// loadRefresh is how long a smaller change waits for a registration.
	loadRefresh = 30 * time.Second
)

// meter smooths the measurements of the load (RFC 5356 3.1). A server whose load nobody knows counts as full: it gets
// clients only when no other server can take them, but is not taken out of the pool.
type meter struct {
	value    float64
	known    bool // value holds a measurement
	judged   bool // there was a result, or nothing is measured
	failures int  // in a row
}

// outcome is what one result meant, for the log.
type outcome uint8

const (
	measuredWell outcome = iota
	measuredAgain
	firstFailure
	failedLikeBefore
	countsAsFull
)

// record takes one result. The first one decides alone, and so does the first one after the load counted as full.
func (m *meter) record(sample float64, err error) outcome {
	m.judged = true
	if err != nil {
		return m.fail()
	}
	if m.known {
		sample = newest*sample + (1-newest)*m.value
	}
	failed := m.failures > 0
	m.value, m.known, m.failures = sample, true, 0
	if failed {
		return measuredAgain
	}
	return measuredWell
}

func (m *meter) fail() outcome {
	m.failures++
	switch {
	case m.failures == unmeasured, m.failures == 1 && !m.known:
		m.known, m.failures = false, max(m.failures, unmeasured)
		return countsAsFull
	case m.failures == 1:
		return firstFailure
	}
	return failedLikeBefore
}

// load is the load to report, 0 to 0xffffffff.
func (m *meter) load() uint32 {
	if !m.known {
		return math.MaxUint32
	}
	return uint32(math.Round(m.value * math.MaxUint32))
}

// loadReport is what the registrar was told of the load, and when.
type loadReport struct {
	load uint32
	at   time.Time
}

// due is when a registration has to tell that the load is now another one; zero if it is the same. A change of loadStep is
// told soon, a smaller one later. With counted, the registrar adds to the load for each selection until we register again
// (RFC 5356 5.2.2), so that it has to hear of an unchanged load as well.
func (r *loadReport) due(load uint32, counted bool) time.Time {
	switch change := max(load, r.load) - min(load, r.load); {
	case change >= loadStep:
		return r.at.Add(loadGap)
	case change > 0, counted:
		return r.at.Add(loadRefresh)
	}
	return time.Time{}
}
