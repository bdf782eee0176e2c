// SPDX-License-Identifier: Apache-2.0

package pe

import "time"

// A home that falls silent may be dead, or cut off, without the session's end
// being seen. Registrars spread the time between keep-alives by plus or minus
// 50 % (RFC 5352 3.5), so that some of them show how long the longest may be.
const (
	beatsKnown     = 3
	silenceFactor  = 3 // times the longest time between two signs of life
	silenceLeast   = 3 * time.Second
	patienceFactor = 2 // times the silence, for the answer to the question whether the home is there
)

// pulse is the rhythm of the home's keep-alives. One that sends none, or too
// few, has none, and is never silent.
type pulse struct {
	beats   int           // keep-alives
	longest time.Duration // until a keep-alive, from the sign of life before it
	last    time.Time     // the last sign of life, a keep-alive or an answer; zero: none yet
}

// beat notes a keep-alive.
func (p *pulse) beat(now time.Time) {
	if !p.last.IsZero() && !p.silent(now) {
		p.longest = max(p.longest, now.Sub(p.last))
	}
	p.spoke(now)
	p.beats++
}

// spoke notes a sign of life. After a silence the rhythm is another, or there
// is none any more: it is learnt anew, and not asked about again before that.
func (p *pulse) spoke(now time.Time) {
	if p.silent(now) {
		*p = pulse{}
	}
	p.last = now
}

// silence is how long the home may say nothing; 0 if that is not known.
func (p *pulse) silence() time.Duration {
	if p.beats < beatsKnown {
		return 0
	}
	return max(silenceLeast, silenceFactor*p.longest)
}

// silentAt is when the home has been silent for too long; zero: never.
func (p *pulse) silentAt() time.Time {
	if p.silence() == 0 {
		return time.Time{}
	}
	return p.last.Add(p.silence())
}

func (p *pulse) silent(now time.Time) bool {
	at := p.silentAt()
	return !at.IsZero() && !now.Before(at)
}

// giveUpAt is when the answer to a registration is late for a home that has been
// silent since before it, or falls silent over it; zero: it is for T2 to say.
func (p *pulse) giveUpAt(sent time.Time) time.Time {
	from := p.silentAt()
	if from.IsZero() {
		return from
	}
	if sent.After(from) {
		from = sent
	}
	return from.Add(patienceFactor * p.silence())
}
