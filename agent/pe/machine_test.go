// SPDX-License-Identifier: Apache-2.0

package pe

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/weir-lb/weir/registrar/wire"
)

const (
	testPool = wire.PoolHandle("web")
	testID   = wire.PEID(0x00c0ffee)
)

// The registrars, as the hunt names them.
const registrarA, registrarB = "10.0.0.1:3864", "10.0.0.2:3864"

var (
	errCut  = errors.New("cut by the test")
	errSick = errors.New("sick")
)

// rig is a machine with a clock that only the test moves, and its log.
type rig struct {
	*machine
	t   *testing.T
	now time.Time
	log bytes.Buffer

	last via // the session that was made last
}

func newRig(t *testing.T, change func(*Config)) *rig {
	r := &rig{t: t, now: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	cfg := &Config{
		Pool:     testPool,
		ID:       testID,
		Life:     10 * time.Minute,
		User:     wire.Transport{Protocol: wire.ProtocolTCP, Port: 8080, Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.11")}},
		Policy:   wire.Policy{Type: wire.PolicyWeightedRoundRobin, Data: []byte{0, 0, 0, 3}},
		Identity: "pe-1",
		Drain:    30 * time.Second,
		Log:      slog.New(slog.NewTextHandler(&r.log, nil)),
	}
	if change != nil {
		change(cfg)
	}
	r.machine = newMachine(cfg, rand.New(rand.NewPCG(1, 2)))
	return r
}

// want fails unless the last event led to exactly these actions.
func (r *rig) want(got []action, want ...action) {
	r.t.Helper()
	if len(got) == 0 && len(want) == 0 {
		return
	}
	if !reflect.DeepEqual(got, want) {
		r.t.Fatalf("actions\n got %s\nwant %s", describe(got), describe(want))
	}
}

func describe(actions []action) string {
	var names []string
	for _, a := range actions {
		s, ok := a.(send)
		if !ok {
			names = append(names, strings.TrimPrefix(reflect.TypeOf(a).String(), "pe."))
			continue
		}
		names = append(names, s.message.Type().String())
	}
	return "[" + strings.Join(names, " ") + "]"
}

// wantTimer fails unless the next deadline is after d.
func (r *rig) wantTimer(d time.Duration) {
	r.t.Helper()
	if got := r.deadline().Sub(r.now); got != d {
		r.t.Fatalf("timer: got %v, want %v", got, d)
	}
}

// wantLog fails unless the log has a line with all parts.
func (r *rig) wantLog(parts ...string) {
	r.t.Helper()
	for line := range strings.Lines(r.log.String()) {
		found := true
		for _, p := range parts {
			found = found && strings.Contains(line, p)
		}
		if found {
			return
		}
	}
	r.t.Fatalf("no log line with %q in\n%s", parts, r.log.String())
}

// expire moves the clock to the deadline.
func (r *rig) expire() []action {
	r.t.Helper()
	at := r.deadline()
	if at.IsZero() {
		r.t.Fatal("no timer runs")
	}
	r.now = at
	return r.tick(r.now)
}

// connect ends a round of the hunt with a session; at registrarA, unless said.
func (r *rig) connect(at ...string) []action {
	r.last++
	return r.connected(r.now, r.last, append(at, registrarA)[0])
}

// cut ends the round that is under way, or the last session.
func (r *rig) cut() []action {
	if r.phase == hunting {
		return r.unfound(r.now, errCut)
	}
	return r.lost(r.now, r.last, errCut)
}

// hungUp is the end of the last session as it should be; failed, for a reason
// that speaks against its registrar.
func (r *rig) hungUp() action   { return hangup{r.last} }
func (r *rig) failed() []action { return []action{distrust{r.last}, hangup{r.last}} }

func (r *rig) accept() []action {
	return r.received(r.now, r.last, &wire.RegistrationResponse{Pool: testPool, PE: testID})
}

func (r *rig) reject(codes ...wire.CauseCode) []action {
	m := &wire.RegistrationResponse{Reject: true, Pool: testPool, PE: testID}
	for _, c := range codes {
		m.Causes = append(m.Causes, wire.ErrorCause{Code: c})
	}
	return r.received(r.now, r.last, m)
}

func (r *rig) confirmLeft() []action {
	return r.received(r.now, r.last, &wire.DeregistrationResponse{Pool: testPool, PE: testID})
}

// enrolled is a rig that is registered.
func enrolled(t *testing.T, change func(*Config)) *rig {
	t.Helper()
	r := newRig(t, change)
	r.start(r.now)
	if r.cfg.Check != nil {
		r.checked(r.now, nil)
	}
	r.connect()
	r.accept()
	if r.phase != registered {
		t.Fatalf("phase %d, want registered", r.phase)
	}
	return r
}

func withCheck(c *Config) { c.Check = func(context.Context) error { return nil } }

// registration is what the rig's configuration must become on the wire.
func (r *rig) registration(home wire.ServerID) action {
	return send{r.last, &wire.Registration{Pool: "web", Element: wire.PoolElement{
		ID:     0x00c0ffee,
		Home:   home,
		Life:   600,
		User:   wire.Transport{Protocol: wire.ProtocolTCP, Port: 8080, Use: wire.UseDataOnly, Addrs: []netip.Addr{netip.MustParseAddr("10.0.0.11")}},
		Policy: wire.Policy{Type: wire.PolicyWeightedRoundRobin, Data: []byte{0, 0, 0, 3}},
	}}}
}

func (r *rig) deregistration() action {
	return send{r.last, &wire.Deregistration{Pool: "web", PE: 0x00c0ffee}}
}

func TestRegisters(t *testing.T) {
	r := newRig(t, nil)
	r.want(r.start(r.now), seek{})
	r.want(r.connect(), r.registration(0))
	r.wantTimer(30 * time.Second) // T2
	r.want(r.accept())
	r.wantTimer(580 * time.Second) // T4: 20 s less than the life
	r.wantLog("msg=registered", "pool=web", "pe=0x00c0ffee", "registrar=10.0.0.1:3864")
}

func TestRegistersAgainAtT4(t *testing.T) {
	r := enrolled(t, nil)
	for range 3 {
		r.want(r.expire(), r.registration(0))
		r.wantTimer(30 * time.Second)
		r.want(r.accept())
		r.wantTimer(580 * time.Second)
	}
}

func TestT2ExpiryHuntsForTheNextRegistrar(t *testing.T) {
	r := newRig(t, nil)
	r.start(r.now)
	r.connect()
	r.wantTimer(30 * time.Second)
	r.want(r.expire(), r.failed()...)
	r.wantLog("level=WARN", `msg="registration not answered"`, "registrar=10.0.0.1:3864")
	if wait := r.deadline().Sub(r.now); wait < 50*time.Millisecond || wait >= 100*time.Millisecond {
		t.Errorf("first wait is %v, want 50 to 100 ms", wait)
	}
	r.want(r.expire(), seek{})
	got := r.connect(registrarB)
	r.want(got, r.registration(0))
	r.want(r.accept())
	r.want(r.cut(), r.failed()...)
	r.wantLog(`msg="connection lost"`, "registrar=10.0.0.2:3864")
	r.want(r.expire(), seek{})
}

func TestResponseForAnotherElementIsIgnored(t *testing.T) {
	for _, m := range []wire.Message{
		&wire.RegistrationResponse{Pool: "mail", PE: testID},
		&wire.RegistrationResponse{Pool: testPool, PE: testID + 1},
		&wire.RegistrationResponse{Reject: true, Pool: testPool, PE: testID + 1},
		&wire.DeregistrationResponse{Pool: testPool, PE: testID},
		&wire.HandleResolutionResponse{Pool: testPool},
		&wire.ErrorMessage{Causes: []wire.ErrorCause{{Code: wire.CauseUnrecognizedMessage}}},
	} {
		r := newRig(t, nil)
		r.start(r.now)
		r.connect()
		r.want(r.received(r.now, r.last, m))
		r.wantTimer(30 * time.Second)
	}
}

func TestKeepAlive(t *testing.T) {
	other := testID + 1
	same := testID
	ack := send{1, &wire.EndpointKeepAliveAck{Pool: "web", PE: 0x00c0ffee}}
	for _, test := range []struct {
		name string
		in   wire.EndpointKeepAlive
		want []action
		home wire.ServerID
	}{
		{"answered", wire.EndpointKeepAlive{Server: 7, Pool: "web"}, []action{ack}, 0},
		{"answered, home adopted", wire.EndpointKeepAlive{Home: true, Server: 7, Pool: "web"}, []action{ack}, 7},
		{"answered, rsplib's element is ours", wire.EndpointKeepAlive{Server: 7, Pool: "web", PE: &same}, []action{ack}, 0},
		{"other pool discarded", wire.EndpointKeepAlive{Home: true, Server: 7, Pool: "mail"}, nil, 0},
		{"other element discarded", wire.EndpointKeepAlive{Home: true, Server: 7, Pool: "web", PE: &other}, nil, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := enrolled(t, nil)
			r.want(r.received(r.now, r.last, &test.in), test.want...)
			r.want(r.expire(), r.registration(test.home)) // T4 tells whom it holds for home
		})
	}
}

func TestNewSessionHasNoHome(t *testing.T) {
	r := enrolled(t, nil)
	r.received(r.now, r.last, &wire.EndpointKeepAlive{Home: true, Server: 7, Pool: "web"})
	r.cut()
	r.want(r.expire(), seek{})
	r.want(r.connect(), r.registration(0))
}

func TestLifeExpiredAtTheRegistrarRegistersAgain(t *testing.T) {
	r := enrolled(t, nil)
	r.want(r.confirmLeft())
	r.wantLog(`msg="registration expired"`)
	if wait := r.deadline().Sub(r.now); wait < 50*time.Millisecond || wait >= 100*time.Millisecond {
		t.Errorf("wait is %v, want 50 to 100 ms", wait)
	}
	r.want(r.expire(), r.registration(0))
}

func TestNudge(t *testing.T) {
	r := enrolled(t, nil)
	r.want(r.nudge(r.now), r.registration(0))
	r.want(r.nudge(r.now)) // the answer is under way
	r.cut()
	r.want(r.nudge(r.now), seek{}) // without the wait
}
