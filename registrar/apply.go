// SPDX-License-Identifier: Apache-2.0

package registrar

import (
	"log/slog"
	"time"

	"github.com/weir-lb/weir/registrar/asap"
	"github.com/weir-lb/weir/registrar/enrp"
)

// apply does what the ASAP Core decided, and counts it first: who sees it may ask for Stats.
func (l *loop) apply(actions []asap.Action) {
	l.publish()
	for _, a := range actions {
		switch a := a.(type) {
		case asap.Refused:
			l.journal.write(slog.LevelWarn, a.By.Name(), "refused", "pool", shown(a.Key.Pool), "pe", a.Key.PE,
				"cause", a.Err.Cause, "reason", a.Err.Reason)
		case asap.Changed:
			l.changed(a)
		case asap.Updated:
			l.toENRP(func() []enrp.Action { return l.enrp.Updated(time.Now(), a.Action, a.Pool, a.Element) })
		case asap.Send:
			if s := l.sessions.byID[a.Session]; s != nil {
				l.send(s, a.Message)
			}
		case asap.Reach:
			l.reach(a)
		case asap.Close:
			if s := l.sessions.byID[a.Session]; s != nil {
				l.close(s, closeUnanswered)
			}
		}
	}
}

func (l *loop) changed(a asap.Changed) {
	for _, d := range a.Departed {
		l.journal.write(slog.LevelInfo, d.Element.Identity(), "element left", "pool", shown(a.Pool.Handle()),
			"pe", d.Element.ID, "reason", d.Reason)
	}
	l.cfg.Log.Debug("pool changed", "pool", shown(a.Pool.Handle()), "elements", a.Pool.Len())
	l.cfg.Observer.PoolChanged(a.Pool, a.Departed)
}

// toENRP calls the ENRP Core, and does what it decided. It reads the handlespace, which the ASAP Core writes: so it is not
// called again before all is done that it said last, and calls that this leads to wait for their turn.
func (l *loop) toENRP(call func() []enrp.Action) {
	l.calls = append(l.calls, call)
	if len(l.calls) > 1 {
		return
	}
	for len(l.calls) > 0 {
		l.applyENRP(l.calls[0]())
		l.calls = l.calls[1:]
	}
	l.calls = nil
}

func (l *loop) applyENRP(actions []enrp.Action) {
	for _, a := range actions {
		switch a := a.(type) {
		case enrp.Send:
			if s := l.sessions.byID[a.Session]; s != nil {
				l.sendENRP(s, a.Message)
			}
		case enrp.Multicast:
			l.announcePresence(a.Message)
		case enrp.Dial:
			l.dialPeer(a)
		case enrp.Hangup:
			if s := l.sessions.byID[a.Session]; s != nil {
				l.close(s, closeUseless)
			}
		case enrp.Learn:
			l.apply(l.asap.Learn(time.Now(), a.Home, a.Pool, a.Element))
		case enrp.Forget:
			l.apply(l.asap.Forget(time.Now(), a.Home, a.Key))
		case enrp.TakeOver:
			l.apply(l.asap.TakeOver(time.Now(), a.Target))
		case enrp.Synchronised:
			l.synchronised(a)
		case enrp.PeerChanged:
			l.journal.write(slog.LevelInfo, "peers", "peer changed", "server", a.Server, "state", a.State)
		case enrp.Refused:
			l.journal.write(slog.LevelWarn, "peers", "refused", "server", a.Sender, "cause", a.Err.Cause, "reason", a.Err.Reason)
		}
	}
}

// synchronised begins the service: what a pool user or the data plane would have seen before was not the whole handlespace.
func (l *loop) synchronised(a enrp.Synchronised) {
	mentor := "none"
	if a.Mentor != 0 {
		mentor = a.Mentor.String()
	}
	l.cfg.Log.Info("the handlespace is whole, serving", "mentor", mentor)
	l.announcements.next = time.Time{}
	if l.groups.asap != nil {
		l.announcements.next = time.Now()
	}
	close(l.ready[speaksASAP])
	l.cfg.Observer.Synchronised()
}
