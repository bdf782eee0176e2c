// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"testing"
	"time"
)

func TestPELoadFlagsThatAreWrong(t *testing.T) {
	for _, test := range []struct {
		flags []string
		want  string
	}{
		{[]string{"--load", "cpu"}, `--load needs --policy lu, lud, plu or rlu`},
		{[]string{"--policy", "wrr", "--load-interval", "1s"}, `--load-interval needs --policy lu, lud, plu or rlu`},
		{[]string{"--policy", "lu", "--load-interval", "1s"}, `--load-interval needs --load`},
		{[]string{"--policy", "lu", "--load", "cpu", "--load-value", "5"}, `--load and --load-value exclude each other`},
		{[]string{"--policy", "lu", "--load", "cpu", "--load-interval", "99ms"}, `--load-interval 99ms is below 100ms`},
		{[]string{"--policy", "lu", "--load", "cpu", "--max-connections", "5"}, `--max-connections needs --load connections`},
		{[]string{"--policy", "lu", "--max-connections", "5"}, `--max-connections needs --load connections`},
		{[]string{"--policy", "lu", "--load", "connections"}, `--load connections needs --max-connections, a number from 1`},
		{[]string{"--policy", "lu", "--load", "connections", "--max-connections", "-1"}, `--load connections needs --max-connections, a number from 1`},
		{
			[]string{"--policy", "lu", "--load", "connections", "--max-connections", "5", "--serve", "udp://10.0.0.11:53"},
			`--load connections needs --serve tcp://ADDRESS:PORT`,
		},
		{[]string{"--policy", "lu", "--load", ""}, `--load "" is not cpu, cpu:CGROUP, connections, exec:CMD or http:URL`},
		{[]string{"--policy", "lu", "--load", "memory"}, `--load "memory" is not cpu, cpu:CGROUP, connections, exec:CMD or http:URL`},
		{[]string{"--policy", "lu", "--load", "cpu:"}, `--load "cpu:": the control group is not a directory below /sys/fs/cgroup`},
		{[]string{"--policy", "lu", "--load", "cpu:nginx"}, `--load "cpu:nginx": the control group is not a directory below /sys/fs/cgroup`},
		{[]string{"--policy", "lu", "--load", "exec: "}, `--load "exec: " names no program`},
		{[]string{"--policy", "lu", "--load", "exec:/no/such"}, `--load "exec:/no/such": exec: "/no/such": stat /no/such: no such file or directory`},
		{[]string{"--policy", "lu", "--load", "http:"}, `--load "http:" is not http:http://… or http:https://…`},
		{[]string{"--policy", "lu", "--load", "http://"}, `--load "http://" is not http:http://… or http:https://…`},
		{[]string{"--policy", "lu", "--load", "http:ftp://a/"}, `--load "http:ftp://a/" is not http:http://… or http:https://…`},
	} {
		args := peArgs(keyFile(t, "pe-1:"+testKey), test.flags...)
		want := outcome{status: 2, stderr: "weir pe: " + test.want + "; weir pe --help lists the flags\n"}
		if got := inProcess(t, append([]string{"pe"}, args...)...); got != want {
			t.Errorf("%v:\n got %+v\nwant %+v", test.flags, got, want)
		}
	}
}

func TestPELoad(t *testing.T) {
	for _, source := range []string{"cpu", "cpu:/sys/fs/cgroup/a", "exec:echo 5", "http:http://127.0.0.1/l", "http:https://[::1]/l", "http://a/", "https://a/"} {
		cfg, _, err := parsePE(peArgs(keyFile(t, "pe-1:"+testKey), "--policy", "lud", "--load", source), env{stderr: io.Discard})
		if err != nil || cfg.Load == nil || cfg.LoadInterval != 2*time.Second {
			t.Errorf("%s: load nil: %v, interval %v, error %v", source, cfg.Load == nil, cfg.LoadInterval, err)
		}
	}
	cfg, _, err := parsePE(peArgs(keyFile(t, "pe-1:"+testKey), "--policy", "rlu", "--load", "exec:printf %s\t12.5", "--load-interval", "5s"), env{stderr: io.Discard})
	if err != nil || cfg.LoadInterval != 5*time.Second {
		t.Fatalf("interval %v, error %v", cfg.LoadInterval, err)
	}
	if got, err := cfg.Load(t.Context()); err != nil || got != 0.125 {
		t.Errorf("load %v, %v, want 0.125", got, err)
	}
}
