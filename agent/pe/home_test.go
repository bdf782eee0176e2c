// SPDX-License-Identifier: Apache-2.0

package pe

import (
	"testing"
	"time"

	"github.com/weir-lb/weir/registrar/wire"
)

// The sessions of these tests: the first home's, and the next one's.
const oldHome, newHome via = 1, 2

// unanswered is a rig whose registration stands, but was not renewed within T2.
func unanswered(t *testing.T) *rig {
	t.Helper()
	r := enrolled(t, nil)
	r.expire() // T4
	r.want(r.expire(), distrust{oldHome}, seek{})
	r.wantLog("level=WARN", `msg="registration not answered"`, "registrar=10.0.0.1:3864")
	if !r.deadline().IsZero() {
		t.Fatal("a timer runs beside the hunt")
	}
	return r
}

func ack(v via) action { return send{v, &wire.EndpointKeepAliveAck{Pool: "web", PE: 0x00c0ffee}} }

// on is an action of sending what the last session would carry, over v.
func on(v via, a action) action { return send{v, a.(send).message} }

func (r *rig) keepAlive(v via, server wire.ServerID, home bool) []action {
	return r.received(r.now, v, &wire.EndpointKeepAlive{Home: home, Server: server, Pool: "web"})
}

// RFC 5352 3.1, 3.6: the registration at the old registrar stays good until another one has the element.
func TestUnansweredReregistrationMoves(t *testing.T) {
	r := unanswered(t)
	r.want(r.keepAlive(oldHome, 7, false), ack(oldHome))
	got := r.connect(registrarB)
	r.want(got, r.registration(0))
	r.wantTimer(30 * time.Second)
	r.want(r.received(r.now, oldHome, &wire.RegistrationResponse{Pool: testPool, PE: testID})) // too late
	r.want(r.keepAlive(oldHome, 7, false), ack(oldHome))
	r.want(r.accept(), hangup{oldHome})
	r.wantLog("msg=registered", "registrar=10.0.0.2:3864")
	r.wantTimer(580 * time.Second)
	r.want(r.expire(), r.registration(0))
}

func TestUnansweredReregistration(t *testing.T) {
	for _, test := range []struct {
		name  string
		event func(*rig) []action
		want  func(*rig) []action
		phase phase
	}{
		{
			"the answer comes late",
			func(r *rig) []action { return r.accept() },
			func(*rig) []action { return []action{endSeek{}} }, registered,
		},
		{
			"a rejection comes late",
			func(r *rig) []action { return r.reject(wire.CauseSecurity) },
			func(r *rig) []action { return []action{endSeek{}, r.deregistration()} }, deregistering,
		},
		{
			"nobody else is there: once more",
			func(r *rig) []action { return r.unfound(r.now, errCut) },
			func(r *rig) []action { return []action{r.registration(0)} }, registering,
		},
		{
			"the session ends: the round goes on",
			func(r *rig) []action { return r.cut() },
			func(*rig) []action { return []action{hangup{oldHome}} }, hunting,
		},
		{
			"the stop",
			func(r *rig) []action { return r.stop(r.now, nil) },
			func(r *rig) []action { return []action{endSeek{}, r.deregistration()} }, deregistering,
		},
		{
			"the stop, at once",
			func(r *rig) []action { return r.hasten(r.now) },
			func(*rig) []action { return []action{endSeek{}, hangup{oldHome}, exit{nil}} }, offline,
		},
		{
			"a nudge: the hunt is under way",
			func(r *rig) []action { return r.nudge(r.now) },
			func(*rig) []action { return nil }, doubting,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := unanswered(t)
			r.want(test.event(r), test.want(r)...)
			if r.phase != test.phase {
				t.Errorf("phase %d, want %d", r.phase, test.phase)
			}
		})
	}
}

func TestHuntGoesOnWithoutTheOldHome(t *testing.T) {
	r := unanswered(t)
	r.cut()
	got := r.connect(registrarB)
	r.want(got, r.registration(0))
	r.want(r.accept()) // there is no former home to leave
}

func TestUnansweredAgain(t *testing.T) {
	r := unanswered(t)
	r.unfound(r.now, errCut)
	r.want(r.expire(), distrust{oldHome}, seek{})
	r.want(r.accept(), endSeek{})
}

func TestNewHomeFails(t *testing.T) {
	for name, test := range map[string]struct {
		event func(*rig) []action
		want  []action
	}{
		"its session ends":       {func(r *rig) []action { return r.cut() }, []action{distrust{newHome}, hangup{oldHome}, hangup{newHome}}},
		"the old one's ends":     {func(r *rig) []action { return r.lost(r.now, oldHome, errCut) }, []action{hangup{oldHome}}},
		"it does not answer too": {func(r *rig) []action { return r.expire() }, []action{distrust{newHome}, seek{}}},
		"it is full":             {func(r *rig) []action { return r.reject(wire.CauseLackOfResources) }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := unanswered(t)
			r.connect(registrarB)
			r.want(test.event(r), test.want...)
		})
	}
}

func TestOnlyOneFormerHomeIsKept(t *testing.T) {
	r := unanswered(t)
	r.connect(registrarB)
	r.expire()
	got := r.connect(registrarA)
	r.want(got, hangup{oldHome}, r.registration(0))
	r.want(r.accept(), hangup{newHome})
}

// visited is enrolled, and another registrar has come to it.
func visited(t *testing.T, change func(*Config)) *rig {
	t.Helper()
	r := enrolled(t, change)
	r.want(r.keepAlive(oldHome, 7, true), ack(oldHome))
	r.want(r.opened(r.now, newHome, registrarB))
	return r
}

// RFC 5352 3.4: a takeover, or what the home registrar arranged.
func TestHomeChange(t *testing.T) {
	r := visited(t, nil)
	r.want(r.keepAlive(newHome, 9, true), ack(newHome), on(newHome, r.registration(9)))
	r.wantLog(`msg="adopted home registrar"`, "home=0x00000009", "registrar=10.0.0.2:3864")
	r.wantTimer(30 * time.Second)
	r.want(r.accept()) // from the old home: it is not asked any more
	r.last = newHome
	r.want(r.accept(), hangup{oldHome})
	r.wantTimer(580 * time.Second)
	r.want(r.expire(), r.registration(9))
}

func TestKeepAliveFromAnotherRegistrar(t *testing.T) {
	for _, test := range []struct {
		name    string
		prepare func(*rig)
		home    bool
		server  wire.ServerID
		want    func(*rig) []action
	}{
		{"without H", func(*rig) {}, false, 9, func(*rig) []action { return []action{ack(newHome)} }},
		{"the home itself", func(*rig) {}, true, 7, func(*rig) []action { return []action{ack(newHome)} }},
		{
			"while the home's session is lost", func(r *rig) { r.cut() }, true, 9,
			func(r *rig) []action { return []action{ack(newHome), on(newHome, r.registration(9))} },
		},
		{
			"while hunting", func(r *rig) { r.cut(); r.expire() }, true, 9,
			func(r *rig) []action { return []action{ack(newHome), endSeek{}, on(newHome, r.registration(9))} },
		},
		{
			"while the home is doubted", func(r *rig) { r.expire(); r.expire() }, true, 9,
			func(r *rig) []action { return []action{ack(newHome), endSeek{}, on(newHome, r.registration(9))} },
		},
		{
			"while leaving", func(r *rig) { r.stop(r.now, nil) }, true, 9,
			func(r *rig) []action { return []action{ack(newHome), on(newHome, r.deregistration())} },
		},
		{"after leaving", func(r *rig) { r.stop(r.now, nil); r.confirmLeft() }, true, 9, func(*rig) []action { return nil }},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := visited(t, nil)
			test.prepare(r)
			r.want(r.keepAlive(newHome, test.server, test.home), test.want(r)...)
		})
	}
}

func TestVisitorThatLeavesIsForgotten(t *testing.T) {
	r := visited(t, nil)
	r.want(r.lost(r.now, newHome, errCut), hangup{newHome})
	r.wantTimer(580 * time.Second)
}

func TestSickElementDoesNotVouchForItself(t *testing.T) {
	r := sick(t)
	r.opened(r.now, newHome, registrarB)
	r.want(r.keepAlive(newHome, 9, true))
}

// Threats draft, 2.14.
func TestFloodOfKeepAlives(t *testing.T) {
	r := enrolled(t, nil)
	count := func(within time.Duration) (answers int) {
		for range 100 {
			answers += len(r.keepAlive(oldHome, 7, false))
			r.now = r.now.Add(within / 100)
		}
		return answers
	}
	for _, test := range []struct {
		name   string
		after  time.Duration
		within time.Duration
		want   int
	}{
		{"a burst", 0, 0, 10},
		{"at once again", 0, 0, 0},
		{"one a second is no flood", time.Second, 100 * time.Second, 100},
		{"after a rest", time.Hour, 0, 10},
		{"ten times too fast", time.Hour, 2 * time.Second, 10 + 9},
	} {
		r.now = r.now.Add(test.after)
		if got := count(test.within); got != test.want {
			t.Errorf("%s: %d of 100 answered, want %d", test.name, got, test.want)
		}
	}
}
