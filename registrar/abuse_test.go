// SPDX-License-Identifier: Apache-2.0

package registrar

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-lb/weir/registrar/wire"
)

func TestMalformedMessagesEndTheSession(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		l := b.enrol(t, "pe-1", 1)
		for i := range 8 {
			l.sendBytes([]byte{byte(wire.TypeRegistration), 0, 0, 4}) // without a handle
			got, ok := l.receive(t).(*wire.ErrorMessage)
			if !ok || got.Causes[0].Code != wire.CauseInvalidValues {
				t.Fatalf("message %d: got %+v, want ASAP_ERROR with invalid values", i, got)
			}
		}
		synctest.Wait()
		if !l.isClosed() || b.Stats().Malformed != 8 || b.Stats().Closed["malformed"] != 1 {
			t.Errorf("closed %v, stats %+v", l.isClosed(), b.Stats())
		}
		b.observer.want(t, "web: 01 away")
	})
}

// RFC 5354 section 4: an unknown message is discarded, and reported if its type's highest bits are 01.
func TestUnknownMessages(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		l := b.enrol(t, "pe-1", 1)
		for range 20 {
			l.sendBytes([]byte{0x3f, 0, 0, 4})
			l.sendBytes([]byte{0x7f, 0, 0, 4})
			got, ok := l.receive(t).(*wire.ErrorMessage)
			if !ok || got.Causes[0].Code != wire.CauseUnrecognizedMessage || string(got.Causes[0].Info) != "\x7f\x00\x00\x04" {
				t.Fatalf("got %+v, want the message in an ASAP_ERROR", got)
			}
		}
		synctest.Wait()
		if l.isClosed() || b.Stats().Unknown != 40 {
			t.Errorf("closed %v, unknown %d, want 40", l.isClosed(), b.Stats().Unknown)
		}
	})
}

// RFC 5354 section 3: a parameter of an unknown type that begins with 11 is skipped, and reported.
func TestUnknownParameterIsReportedAndTheMessageTaken(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		l := b.dial("pe-1")
		raw, err := wire.AppendASAP(nil, &wire.HandleResolution{Pool: "none"})
		if err != nil {
			t.Fatal(err)
		}
		raw = append(raw, 0xc0, 1, 0, 4)
		raw[3] += 4
		l.sendBytes(raw)
		if got, ok := l.receive(t).(*wire.ErrorMessage); !ok || got.Causes[0].Code != wire.CauseUnrecognizedParameter {
			t.Errorf("got %+v, want ASAP_ERROR with the parameter", got)
		}
		got, ok := l.receive(t).(*wire.HandleResolutionResponse)
		if !ok || got.Causes[0].Code != wire.CauseUnknownPoolHandle {
			t.Errorf("got %+v, want a negative response", got)
		}
	})
}

func TestPeerThatDoesNotRead(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		l := b.enrol(t, "pe-1", 1)
		other := b.dial("pe-2")
		for i := 0; !l.isClosed(); i++ {
			if i > 2*outboxLen {
				t.Fatal("still open")
			}
			l.send(t, &wire.HandleResolution{Pool: "web"})
			synctest.Wait()
		}
		b.observer.want(t, "web: 01 away")
		if n := b.Stats().Closed["slow"]; n != 1 {
			t.Errorf("%d slow sessions closed, want 1", n)
		}
		other.send(t, &wire.HandleResolution{Pool: "web"})
		other.receive(t)
	})
}

// Answers of 64 KB each: the outbox is bounded in bytes, not only in messages.
func TestPeerThatDoesNotReadLargeMessages(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		l := b.dial("pe-1")
		large := make([]byte, 60_000)
		large[0], large[2], large[3] = 0x7f, 60_000>>8, 60_000&0xff
		sent := 0
		for ; !l.isClosed() && sent < 20; sent++ {
			l.sendBytes(large)
			synctest.Wait()
		}
		if sent > 7 {
			t.Errorf("closed after %d messages, want at most 7: 256 KiB and the one being written", sent)
		}
	})
}

func TestPeerThatDoesNotTakeAMessage(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		l := b.dial("pe-1")
		l.send(t, &wire.HandleResolution{Pool: "web"})
		time.Sleep(writeTimeout - time.Millisecond)
		synctest.Wait()
		if l.isClosed() {
			t.Error("closed before its time")
		}
		time.Sleep(time.Millisecond)
		synctest.Wait()
		if !l.isClosed() || b.Stats().Closed["broken"] != 1 {
			t.Errorf("closed %v, stats %+v", l.isClosed(), b.Stats().Closed)
		}
	})
}

// Who reads slowly gets the last words only as far as writeTimeout allows.
func TestPeerThatReadsItsLastWordsSlowly(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		l := b.dial("pe-1")
		for range maxMalformed {
			l.sendBytes([]byte{byte(wire.TypeRegistration), 0, 0, 4}) // without a handle
		}
		began := time.Now()
		for range 2 {
			time.Sleep(2 * time.Second)
			l.receive(t)
		}
		<-l.closed
		if after := time.Since(began); after != writeTimeout {
			t.Errorf("closed after %v, want %v", after, writeTimeout)
		}
	})
}

// While the loop is busy, readers wait, and so do their peers; nothing is lost, and nothing piles up.
func TestBackpressure(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.observer.sleep <- 70 * time.Second
		l := b.dial("pe-1")
		l.send(t, registration("web", 1, "10.0.0.1")) // the loop now sleeps in the observer
		sent := make(chan int)
		go func() {
			n := 0
			for ; n < 2*inboxLen; n++ {
				select {
				case l.in <- []byte{0x3f, 0, 0, 4}:
				case <-time.After(time.Minute):
					sent <- n
					return
				}
			}
			sent <- n
		}()
		if n := <-sent; n != inboxLen+1 {
			t.Errorf("%d messages were read from the peer, want %d: the inbox, and one in the reader's hand", n, inboxLen+1)
		}
		l.receive(t)
	})
}

func TestManySessionsOfOneIdentity(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		first := b.enrol(t, "pe-1", 1)
		var others []*link
		for range maxPerIdentity - 1 {
			others = append(others, b.dial("pe-1"))
		}
		synctest.Wait()
		if first.isClosed() {
			t.Fatal("closed too early")
		}
		others = append(others, b.dial("pe-1"))
		synctest.Wait()
		if !first.isClosed() {
			t.Error("the oldest session is still open")
		}
		for i, l := range others {
			if l.isClosed() {
				t.Errorf("session %d is closed", i)
			}
		}
		b.observer.want(t, "web: 01 away")
	})
}

func TestMaxSessions(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.dial("pe-1")
		two := b.dial("pe-2")
		third := b.dial("pe-3")
		synctest.Wait()
		if two.isClosed() || !third.isClosed() || b.Stats().Closed["too_many"] != 1 || b.Stats().Sessions != 2 {
			t.Errorf("stats %+v", b.Stats())
		}
		close(two.hangUp)
		synctest.Wait()
		if again := b.dial("pe-3"); again.isClosed() {
			t.Error("there is room again")
		}
	}, func(c *Config) { c.MaxSessions = 2 })
}
