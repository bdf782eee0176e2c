// SPDX-License-Identifier: Apache-2.0

package pe

import (
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

func TestWaitsGrowAndSuccessResetsThem(t *testing.T) {
	r := newRig(t, nil)
	r.start(r.now)
	longest := time.Duration(0)
	for range 40 {
		r.want(r.cut())
		longest = max(longest, r.deadline().Sub(r.now))
		r.want(r.expire(), seek{})
	}
	if longest < time.Second || longest > 5*time.Second {
		t.Errorf("longest wait is %v, want 1 to 5 s", longest)
	}
	r.connect()
	r.accept()
	r.cut()
	if wait := r.deadline().Sub(r.now); wait >= 100*time.Millisecond {
		t.Errorf("wait after a success is %v, want below 100 ms", wait)
	}
}

func TestGivesUpAfterAttempts(t *testing.T) {
	r := newRig(t, func(c *Config) { c.Attempts = 3 })
	r.start(r.now)
	for range 2 {
		r.want(r.cut())
		r.want(r.expire(), seek{})
	}
	got := r.cut()
	if len(got) != 1 || got[0].(exit).err.Error() != "gave up after 3 attempts to register: no connection: cut by the test" {
		t.Errorf("actions %v, want [exit] with a sentence", got)
	}
}

func TestNeverGivesUpOnceRegistered(t *testing.T) {
	r := enrolled(t, func(c *Config) { c.Attempts = 3 })
	r.want(r.cut(), r.failed()...)
	for range 10 {
		r.want(r.expire(), seek{})
		r.want(r.cut())
	}
}
