// SPDX-License-Identifier: Apache-2.0

package registrar

import (
	"bytes"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-lb/weir/registrar/wire"
)

// An authenticated peer must not be able to fill the disk, or hide others in the log.
func TestRefusalsDoNotFloodTheLog(t *testing.T) {
	var log bytes.Buffer // written by the loop, read when it waits
	inBubble(t, func(t *testing.T, b *bench) {
		refused := func(l *link, pool wire.PoolHandle) {
			l.send(t, registration(pool, 1, "10.0.0.1"))
			if got, ok := l.receive(t).(*wire.RegistrationResponse); !ok || !got.Reject {
				t.Fatalf("got %+v, want a rejection", got)
			}
		}
		noisy, other := b.dial("pe-1"), b.dial("pe-2")
		for range 500 {
			refused(noisy, wire.PoolHandle("mine"+strings.Repeat("\xff", 60_000)))
		}
		refused(other, "mail")
		synctest.Wait()
		if n := log.Len(); n > 128<<10 {
			t.Errorf("%d bytes are logged, want at most 128 KiB", n)
		}
		for _, want := range []string{"mine", "pool=mail", "the identity may not serve this pool"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("the log does not have %q", want)
			}
		}
		time.Sleep(time.Minute)
		log.Reset()
		refused(noisy, "mail")
		synctest.Wait()
		if !strings.Contains(log.String(), "msg=refused identity=pe-1") {
			t.Errorf("logged a minute later: %q", log.String())
		}
	}, func(c *Config) {
		c.Log = slog.New(slog.NewTextHandler(&log, nil))
		c.KeepAlive.Interval = time.Hour
	})
}

func TestReconnectingDoesNotFloodTheLog(t *testing.T) {
	var log bytes.Buffer
	inBubble(t, func(t *testing.T, b *bench) {
		for range 2000 {
			close(b.dial("pe-1").hangUp)
		}
		synctest.Wait()
		if n := strings.Count(log.String(), "\n"); n > 250 {
			t.Errorf("%d lines are logged, want at most 250", n)
		}
		if n := b.Stats().Opened; n != 2000 {
			t.Errorf("%d sessions are counted, want 2000", n)
		}
	}, func(c *Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
}

// Who loses its key while it holds back the last message of its handshake must not end up with a session: Reload could not
// see it.
func TestSessionWithoutAKeyIsTurnedAway(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		l := b.dial("taken-out")
		synctest.Wait()
		if !l.isClosed() || b.Stats().Closed["revoked"] != 1 || b.Stats().Opened != 0 || b.gate.len() != 0 {
			t.Errorf("closed %v, admitted %d, stats %+v", l.isClosed(), b.gate.len(), b.Stats())
		}
	})
}

// Sessions that are closing count: with malformed messages whose answers it does not read, a peer could else take all
// places.
func TestClosingSessionsOfOneIdentity(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		for range 3 * maxPerIdentity {
			l := b.dial("pe-1")
			for range maxMalformed {
				l.sendBytes([]byte{byte(wire.TypeRegistration), 0, 0, 4}) // without a handle
			}
		}
		synctest.Wait()
		if n := b.Stats().Sessions; n > maxPerIdentity {
			t.Errorf("%d sessions, want at most %d", n, maxPerIdentity)
		}
		l := b.dial("pe-1")
		l.send(t, &wire.Deregistration{Pool: "web", PE: 1})
		want := &wire.DeregistrationResponse{Pool: "web", PE: 1}
		if got := l.receive(t); !reflect.DeepEqual(got, want) {
			t.Errorf("the newest session gets %+v, want %+v", got, want)
		}
	})
}

// Who asks for the counts because of something that it has seen must find it counted.
func TestWhatIsToldIsCounted(t *testing.T) {
	var seen Stats
	inBubble(t, func(t *testing.T, b *bench) {
		l := b.dial("pe-1")
		b.observer.ask <- func() { seen = b.Stats() }
		l.send(t, registration("web", 1, "10.0.0.1"))
		l.receive(t)
		if seen.Elements != 1 || seen.Registrations != 1 || seen.Sessions != 1 {
			t.Errorf("the observer of a registration sees %+v", seen)
		}
	})
}
