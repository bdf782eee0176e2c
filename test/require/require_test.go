// SPDX-License-Identifier: Apache-2.0

package require

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// verdict is a testing.TB that records how Need ended the test.
type verdict struct {
	testing.TB
	said string
}

func (*verdict) Helper() {}

func (v *verdict) Skipf(format string, args ...any) { v.end("skip: ", format, args) }

func (v *verdict) Fatalf(format string, args ...any) { v.end("fail: ", format, args) }

func (v *verdict) end(how, format string, args []any) {
	v.said = how + fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func outcome(required string, features ...Feature) string {
	v := &verdict{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		need(v, required, only("root"), features)
	}()
	<-done
	return v.said
}

// only is a machine that has one feature.
func only(present Feature) func(Feature) error {
	return func(f Feature) error {
		if f == present {
			return nil
		}
		return errors.New("no such thing")
	}
}

func TestNeed(t *testing.T) {
	for _, tt := range []struct {
		name, required string
		features       []Feature
		want           string
	}{
		{name: "nothing needed"},
		{name: "present", features: []Feature{Root}},
		{name: "present and required", required: "root", features: []Feature{Root}},
		{name: "missing", features: []Feature{Root, BPF}, want: "skip: needs bpf: no such thing"},
		{name: "missing, another required", required: "root,netns", features: []Feature{BPF},
			want: "skip: needs bpf: no such thing"},
		{name: "missing and required", required: "root, bpf", features: []Feature{BPF},
			want: "fail: REQUIRE lists bpf, but this machine does not have it: no such thing"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := outcome(tt.required, tt.features...); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestUnknownFeatureIsMissing(t *testing.T) {
	if check("unicorn") == nil {
		t.Error("a feature that nobody knows counts as present")
	}
}

func TestNetNSCheckLeavesThisProcessAlone(t *testing.T) {
	Need(t, Root, NetNS)
	home, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	for range 20 { // on one thread or another
		Need(t, NetNS)
	}
	threads, err := filepath.Glob("/proc/self/task/*/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	for _, thread := range threads {
		if space, err := os.Readlink(thread); err == nil && space != home {
			t.Errorf("%s is %s, want %s", thread, space, home)
		}
	}
}
