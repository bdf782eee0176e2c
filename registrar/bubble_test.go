// SPDX-License-Identifier: Apache-2.0

package registrar

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-lb/weir/registrar/wire"
)

func TestKeepAliveTimeout(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		l := b.enrol(t, "pe-1", 1)
		began := time.Now()
		if got, ok := l.receive(t).(*wire.EndpointKeepAlive); !ok || got.Home || got.Server != serverID || *got.PE != 1 {
			t.Fatalf("got %+v, want a keep-alive", got)
		}
		if after := time.Since(began); after < 5*time.Second || after > 15*time.Second {
			t.Errorf("asked after %v, want 10 s plus or minus 50 %%", after)
		}
		l.send(t, &wire.EndpointKeepAliveAck{Pool: "web", PE: 1})
		l.receive(t) // the next one, which is not answered
		asked := time.Now()
		b.observer.want(t, "web: 01 lost")
		if after := time.Since(asked); after != 3*time.Second {
			t.Errorf("lost after %v, want 3 s", after)
		}
		synctest.Wait()
		if !l.isClosed() || b.Stats().Closed["unanswered"] != 1 {
			t.Error("the session is not closed")
		}
	})
}

func TestAwayAndBack(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		close(b.enrol(t, "pe-1", 1).hangUp)
		b.observer.want(t, "web: 01 away")
		time.Sleep(1900 * time.Millisecond)
		again := b.dial("pe-1")
		again.send(t, registration("web", 1, "10.0.0.1"))
		again.receive(t)
		b.observer.want(t, "web: 01 up")
		time.Sleep(3 * time.Second)
		b.observer.wantNothingMore(t)
		close(again.hangUp)
		gone := time.Now()
		b.observer.want(t, "web: 01 away", "web: 01 lost")
		if after := time.Since(gone); after != 2*time.Second {
			t.Errorf("lost after %v, want the grace of 2 s", after)
		}
	})
}

// The end of the registrar is no departure: the data plane must keep its last selection.
func TestStopTellsNobody(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		links := []*link{b.enrol(t, "pe-1", 1), b.enrol(t, "pe-2", 2)}
		b.stop()
		synctest.Wait()
		for _, l := range links {
			if !l.isClosed() {
				t.Error("a session is still open")
			}
			select {
			case m := <-l.out:
				t.Errorf("sent %x at the end", m)
			default:
			}
		}
		b.observer.wantNothingMore(t)
	})
}

// Whatever comes when the end has begun is not looked at: sessions that end with Run would else take elements away.
func TestNothingIsTakenAfterTheEnd(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		l := b.enrol(t, "pe-1", 1)
		b.stop()
		synctest.Wait()
		over, cancel := context.WithCancel(t.Context())
		cancel()
		loop := newLoop(b.Registrar, over)
		loop.take(over, event{from: newSession(l, speaksASAP, 0, cancel), ended: true})
		if n := b.Stats().Closed["peer"]; n != 0 {
			t.Errorf("%d sessions taken for closed by the peer", n)
		}
	})
}

func TestListenerFailure(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.enrol(t, "pe-1", 1)
		close(b.listener.broken)
		if err := <-b.done; err == nil {
			t.Error("Run returned nil though the listener failed")
		}
		b.observer.wantNothingMore(t)
		b.done <- nil
	})
}

func TestGateFollowsSessions(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		l := b.dial("pe-3")
		synctest.Wait()
		peer := l.RemoteAddrs()[0]
		for range 10 { // a session that says nothing lives on
			if left := time.Until(b.gate.expiry(peer)); left < 20*time.Second || left > time.Minute {
				t.Fatalf("admitted for %v more, want at most a minute, renewed at half of it", left)
			}
			time.Sleep(17 * time.Second)
		}
		close(l.hangUp)
		synctest.Wait()
		if !b.gate.expiry(peer).IsZero() {
			t.Error("the gate is open after the end of the session")
		}
	})
}

func TestGateFails(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.gate.broken = true
		b.enrol(t, "pe-1", 1) // all the same
		synctest.Wait()
		if n := b.Stats().GateErrors; n != 1 {
			t.Errorf("%d gate errors, want 1", n)
		}
	})
}

// If the registrar did not run for a while, the answers that it could not see count for nothing.
func TestStallBlamesNobody(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		one, two := b.enrol(t, "pe-1", 1), b.dial("pe-2")
		one.receive(t) // keep-alive: an answer is due in 3 s
		b.observer.sleep <- 10 * time.Second
		two.send(t, registration("web", 2, "10.0.0.2"))
		b.observer.want(t, "web: 01 up 02 up")
		two.receive(t)
		one.send(t, &wire.EndpointKeepAliveAck{Pool: "web", PE: 1})
		synctest.Wait()
		b.observer.wantNothingMore(t)
	})
}

// A registrar that is late each time must not keep the lost for ever.
func TestSecondStallInARowIsNotForgiven(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		one, two := b.enrol(t, "pe-1", 1), b.dial("pe-2")
		two.send(t, &wire.EndpointUnreachable{Pool: "web", PE: 1})
		one.receive(t) // keep-alive: an answer is due in 3 s
		for _, addr := range []string{"10.0.0.2", "10.0.0.3"} {
			b.observer.sleep <- 10 * time.Second
			two.send(t, registration("web", 2, addr))
			b.observer.want(t, "web: 01 up 02 up")
			two.receive(t)
			synctest.Wait()
		}
		late := time.Now()
		b.observer.want(t, "web: 02 up 01 lost")
		if more := time.Since(late); more != 0 {
			t.Errorf("it took %v more", more)
		}
	}, func(c *Config) { c.KeepAlive.Interval = time.Hour })
}

// An answer that has arrived counts, even if the loop comes to it after the time for it.
func TestAnswerInTheInboxCounts(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		one, two := b.enrol(t, "pe-1", 1), b.enrol(t, "pe-2", 2)
		go func() {
			for m := range two.out { // two answers always
				if r, _ := wire.ParseASAP(m); r.Type() == wire.TypeEndpointKeepAlive {
					two.send(t, &wire.EndpointKeepAliveAck{Pool: "web", PE: 2})
				}
			}
		}()
		for i := range 10 { // which of two ready events the loop takes is random
			one.receive(t)
			time.Sleep(2900 * time.Millisecond)
			b.observer.sleep <- 200 * time.Millisecond
			two.send(t, registration("web", 2, fmt.Sprint("10.0.0.", 10+i)))
			synctest.Wait()
			one.send(t, &wire.EndpointKeepAliveAck{Pool: "web", PE: 1})
			b.observer.want(t, "web: 01 up 02 up")
		}
		synctest.Wait()
		b.observer.wantNothingMore(t)
		close(two.hangUp)
		synctest.Wait()
		close(two.out)
	})
}

func TestReloadRevokes(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		one, two := b.enrol(t, "pe-1", 1), b.enrol(t, "pe-2", 2)
		b.Reload([]Grant{grant("pe-2")})
		got, ok := one.receive(t).(*wire.DeregistrationResponse)
		if !ok || len(got.Causes) != 1 || got.Causes[0].Code != wire.CauseSecurity {
			t.Errorf("got %+v, want a deregistration with cause 0xa", got)
		}
		b.observer.want(t, "web: 02 up 01 revoked")
		synctest.Wait()
		if one.isClosed() || two.isClosed() {
			t.Error("a session of an identity that has a key is closed")
		}
	})
}

func TestLastReloadCounts(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.enrol(t, "pe-1", 1)
		b.observer.sleep <- time.Second
		two := b.dial("pe-2")
		two.send(t, registration("web", 2, "10.0.0.2"))
		synctest.Wait() // the loop sleeps in the observer
		b.Reload(nil)
		b.Reload([]Grant{grant("pe-1")})
		b.Reload([]Grant{grant("pe-1"), grant("pe-2")})
		two.receive(t)
		b.observer.want(t, "web: 01 up 02 up")
		synctest.Wait()
		b.observer.wantNothingMore(t)
	})
}

func TestStatsHaveAllLabels(t *testing.T) {
	s := newTally().stats()
	if n := len(s.Closed); n != closeReasons {
		t.Errorf("%d reasons of closed sessions, want %d", n, closeReasons)
	}
	for name, m := range map[string]map[string]uint64{"refused": s.Refused, "rejected": s.Rejected, "departed": s.Departed} {
		if len(m) < 5 {
			t.Errorf("%s has only %s", name, fmt.Sprint(m))
		}
	}
}
