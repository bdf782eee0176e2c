// SPDX-License-Identifier: Apache-2.0

package sctp

import "time"

// SetReadDeadline bounds reading; what it interrupts can be repeated.
func (c *Conn) SetReadDeadline(t time.Time) error { return c.errorOf(c.file.SetReadDeadline(t)) }

// SetWriteDeadline bounds writing; what it interrupts has sent nothing.
func (c *Conn) SetWriteDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.deadline = t
	return c.errorOf(c.arm())
}

// SetDeadline bounds both.
func (c *Conn) SetDeadline(t time.Time) error {
	if err := c.SetReadDeadline(t); err != nil {
		return err
	}
	return c.SetWriteDeadline(t)
}

// arm sets the earlier of the deadline and the limit; under mu.
func (c *Conn) arm() error {
	t := c.deadline
	if !c.limit.IsZero() && (t.IsZero() || t.After(c.limit)) {
		t = c.limit
	}
	return c.file.SetWriteDeadline(t)
}

// startWaiting limits the write that begins to wait: TCP_USER_TIMEOUT has no
// counterpart in SCTP, whose peer may keep its window closed for ever.
func (c *Conn) startWaiting() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.limit = time.Now().Add(stall)
	_ = c.arm() // fails only on a closed socket
}

// stopWaiting tells whether the limit has passed, and not the deadline.
func (c *Conn) stopWaiting() (stalled bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	stalled = !c.limit.After(now) && (c.deadline.IsZero() || c.deadline.After(now))
	c.limit = time.Time{}
	_ = c.arm()
	return stalled
}
