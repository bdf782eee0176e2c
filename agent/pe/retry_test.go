// SPDX-License-Identifier: Apache-2.0

package pe

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestReregistration(t *testing.T) {
	for _, test := range []struct{ life, want time.Duration }{
		{time.Second, 500 * time.Millisecond},
		{10 * time.Second, 5 * time.Second},
		{30 * time.Second, 15 * time.Second},
		{40 * time.Second, 20 * time.Second},
		{time.Minute, 40 * time.Second},
		{10 * time.Minute, 580 * time.Second},
		{620 * time.Second, 10 * time.Minute},
		{24 * time.Hour, 10 * time.Minute},
	} {
		if got := reregistration(test.life); got != test.want {
			t.Errorf("life %v: T4 is %v, want %v", test.life, got, test.want)
		}
	}
}

func TestBackoff(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	const ms = time.Millisecond
	for _, test := range []struct {
		failures int
		ceiling  time.Duration
	}{
		{1, 100 * ms}, {2, 200 * ms}, {3, 400 * ms}, {4, 800 * ms}, {6, 3200 * ms}, {7, 5000 * ms}, {8, 5000 * ms}, {1 << 30, 5000 * ms},
	} {
		low, high := test.ceiling, time.Duration(0)
		for range 1000 {
			d := backoff(test.failures, random)
			low, high = min(low, d), max(high, d)
		}
		if low < 50*ms || high >= test.ceiling {
			t.Errorf("%d failures: waits from %v to %v, want 50ms to %v", test.failures, low, high, test.ceiling)
		}
		// Full jitter: 1000 draws leave no twentieth of the range empty at its ends.
		if margin := (test.ceiling - 50*ms) / 20; low > 50*ms+margin || high < test.ceiling-margin {
			t.Errorf("%d failures: waits from %v to %v are not spread up to %v", test.failures, low, high, test.ceiling)
		}
	}
}

func TestWaitsGrowAndSuccessResetsThem(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Registrars = []Registrar{registrarA, registrarB} })
	r.start(r.now)
	longest := time.Duration(0)
	for i := range 40 {
		r.want(r.lost(r.now, errCut), hangup{})
		longest = max(longest, r.deadline().Sub(r.now))
		r.want(r.expire(), dial{r.cfg.Registrars[(i+1)%2]}) // round the list
	}
	if longest < time.Second || longest > 5*time.Second {
		t.Errorf("longest wait is %v, want 1 to 5 s", longest)
	}
	r.connected(r.now)
	r.accept()
	r.lost(r.now, errCut)
	if wait := r.deadline().Sub(r.now); wait >= 100*time.Millisecond {
		t.Errorf("wait after a success is %v, want below 100 ms", wait)
	}
}

func TestGivesUpAfterAttempts(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Attempts = 3 })
	r.start(r.now)
	for range 2 {
		r.want(r.lost(r.now, errCut), hangup{})
		r.want(r.expire(), dial{registrarA})
	}
	got := r.lost(r.now, errCut)
	if len(got) != 2 || got[1].(exit).err.Error() !=
		"gave up after 3 attempts to register with 10.0.0.1:3864: no connection: cut by the test" {
		t.Errorf("actions %v, want [hangup exit] with a sentence", got)
	}
}

func TestNeverGivesUpOnceRegistered(t *testing.T) {
	r := enrolled(t, func(c *Config) { c.Attempts = 3 })
	for range 10 {
		r.want(r.lost(r.now, errCut), hangup{})
		r.want(r.expire(), dial{registrarA})
	}
}
