// SPDX-License-Identifier: Apache-2.0

package pe

import (
	"testing"
	"time"

	"github.com/weir-lb/weir/registrar/wire"
)

func TestRejectionForGood(t *testing.T) {
	const start = `registrar 10.0.0.1:3864 rejected the registration in pool "web" (cause: `
	for _, test := range []struct {
		causes []wire.CauseCode
		want   string
	}{
		{[]wire.CauseCode{wire.CauseSecurity}, `rejected due to security considerations); grant identity "pe-1" this pool and the address 10.0.0.11:8080 in the registrar's configuration`},
		{[]wire.CauseCode{wire.CauseInvalidValues}, `invalid values); it does not accept policy weighted-round-robin or serving on tcp://10.0.0.11:8080`},
		{[]wire.CauseCode{wire.CauseNonUniquePEID}, `non-unique PE identifier); another element uses 0x00c0ffee: start with another --id`},
		{[]wire.CauseCode{wire.CauseInconsistentPolicy}, `inconsistent pooling policy); the pool does not use weighted-round-robin: start with the pool's --policy`},
		{[]wire.CauseCode{wire.CauseInconsistentTransport}, `inconsistent transport type); the pool does not serve tcp: start with the pool's protocol in --serve`},
		{[]wire.CauseCode{wire.CauseInconsistentTransportUse}, `inconsistent data/control configuration); the pool has a control channel: serve it over SCTP, and start with --control-channel`},
		{[]wire.CauseCode{0x1234}, `0x1234); the registrar's log says more`},
		{[]wire.CauseCode{wire.CauseLackOfResources, wire.CauseUnspecified}, `lack of resources, unspecified error); the registrar's log says more`},
		{nil, `none given); the registrar's log says more`},
	} {
		r := newRig(t, nil)
		r.start(r.now)
		r.connect()
		got := r.reject(test.causes...)
		if len(got) != 2 || got[0] != r.hungUp() {
			t.Fatalf("%v: actions %s, want [hangup exit]", test.causes, describe(got))
		}
		if err := got[1].(exit).err; err == nil || err.Error() != start+test.want {
			t.Errorf("%v:\n got %v\nwant %s", test.causes, err, start+test.want)
		}
		r.wantLog("level=WARN", "msg=rejected", "pool=web", "pe=0x00c0ffee", "registrar=10.0.0.1:3864", "cause=")
	}
}

func TestLackOfResourcesIsRetried(t *testing.T) {
	r := newRig(t, nil)
	r.start(r.now)
	r.connect()
	r.want(r.reject(wire.CauseLackOfResources), r.failed()...)
	r.wantLog("msg=rejected", `cause="lack of resources"`)
	r.want(r.expire(), seek{})
}

func TestLackOfResourcesKeepsAStandingRegistration(t *testing.T) {
	r := enrolled(t, nil)
	r.expire() // T4
	r.want(r.reject(wire.CauseLackOfResources))
	if wait := r.deadline().Sub(r.now); wait < 50*time.Millisecond || wait >= 100*time.Millisecond {
		t.Errorf("wait is %v, want 50 to 100 ms", wait)
	}
	r.want(r.expire(), r.registration(0))
}

func TestRejectedReregistrationLeavesInOrder(t *testing.T) {
	r := enrolled(t, nil)
	r.expire() // T4
	r.want(r.reject(wire.CauseSecurity), r.deregistration())
	r.want(r.confirmLeft(), r.hungUp())
	r.wantTimer(30 * time.Second) // established flows drain
	if got := r.expire(); len(got) != 1 || got[0].(exit).err == nil {
		t.Errorf("actions %s, want exit with the rejection", describe(got))
	}
}

func TestRemediesOfOtherConfigurations(t *testing.T) {
	for _, test := range []struct {
		change func(*Config)
		code   wire.CauseCode
		want   string
	}{
		{func(c *Config) { c.Plain = true }, wire.CauseSecurity, "it wants TLS: start with --identity and --key-file in place of --plain"},
		{
			func(c *Config) { c.User.Use = wire.UseDataControl }, wire.CauseInconsistentTransportUse,
			"the pool has no control channel: start without --control-channel",
		},
	} {
		if got := newRig(t, test.change).remedy(test.code); got != test.want {
			t.Errorf("%v: %q, want %q", test.code, got, test.want)
		}
	}
}
