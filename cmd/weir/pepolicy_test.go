// SPDX-License-Identifier: Apache-2.0

package main

import (
	"io"
	"reflect"
	"testing"

	"github.com/weir-lb/weir/registrar/wire"
)

func TestPEPolicyFlagsThatAreWrong(t *testing.T) {
	for _, test := range []struct {
		flags []string
		want  string
	}{
		{[]string{"--policy", "ll"}, `--policy "ll" is not rr, wrr, rand, wrand, prio, lu, lud, plu or rlu`},
		{[]string{"--policy", ""}, `--policy "" is not rr, wrr, rand, wrand, prio, lu, lud, plu or rlu`},
		{[]string{"--weight", "3"}, `--weight needs --policy wrr or wrand`},
		{[]string{"--policy", "rand", "--weight", "3"}, `--weight needs --policy wrr or wrand`},
		{[]string{"--policy", "rlu", "--weight", "3"}, `--weight needs --policy wrr or wrand`},
		{[]string{"--policy", "wrr", "--weight", "0"}, `--weight 0 is not from 1 to 4294967295`},
		{[]string{"--policy", "wrand", "--weight", "4294967296"}, `--weight 4294967296 is not from 1 to 4294967295`},
		{[]string{"--policy", "wrr", "--weight", "-1"}, `invalid value "-1" for --weight: parse error`},
		{[]string{"--policy", "lu", "--priority", "1"}, `--priority needs --policy prio`},
		{[]string{"--policy", "plu", "--priority", "1"}, `--priority needs --policy prio`},
		{[]string{"--policy", "prio", "--priority", "4294967296"}, `--priority 4294967296 is not from 0 to 4294967295`},
		{[]string{"--load-value", "0"}, `--load-value needs --policy lu, lud, plu or rlu`},
		{[]string{"--policy", "prio", "--load-value", "50"}, `--load-value needs --policy lu, lud, plu or rlu`},
		{[]string{"--policy", "lu", "--load-value", "100.1"}, `--load-value 100.1 is not from 0 to 100 percent`},
		{[]string{"--policy", "lu", "--load-value", "-1"}, `--load-value -1 is not from 0 to 100 percent`},
		{[]string{"--policy", "rlu", "--load-value", "nan"}, `--load-value NaN is not from 0 to 100 percent`},
		{[]string{"--policy", "lu", "--load-value", "half"}, `invalid value "half" for --load-value: parse error`},
		{[]string{"--policy", "lu", "--degradation", "1"}, `--degradation needs --policy lud or plu`},
		{[]string{"--policy", "rlu", "--degradation", "1"}, `--degradation needs --policy lud or plu`},
		{[]string{"--policy", "lud", "--degradation", "101"}, `--degradation 101 is not from 0 to 100 percent`},
		{[]string{"--policy", "plu", "--degradation", "inf"}, `--degradation +Inf is not from 0 to 100 percent`},
	} {
		args := peArgs(keyFile(t, "pe-1:"+testKey), test.flags...)
		want := outcome{status: 2, stderr: "weir pe: " + test.want + "; weir pe --help lists the flags\n"}
		if got := inProcess(t, append([]string{"pe"}, args...)...); got != want {
			t.Errorf("%v:\n got %+v\nwant %+v", test.flags, got, want)
		}
	}
}

// The bytes are those of the figures in RFC 5356; a percentage is that part of 0xffffffff, rounded.
func TestPEPolicies(t *testing.T) {
	for _, test := range []struct {
		flags  []string
		number wire.PolicyType
		data   []byte
	}{
		{nil, 0x00000001, nil},
		{[]string{"--policy", "rr"}, 0x00000001, nil},
		{[]string{"--policy", "wrr"}, 0x00000002, []byte{0, 0, 0, 1}},
		{[]string{"--policy", "wrr", "--weight", "4294967295"}, 0x00000002, []byte{0xff, 0xff, 0xff, 0xff}},
		{[]string{"--policy", "rand"}, 0x00000003, nil},
		{[]string{"--policy", "wrand", "--weight", "3"}, 0x00000004, []byte{0, 0, 0, 3}},
		{[]string{"--policy", "prio"}, 0x00000005, []byte{0, 0, 0, 0}},
		{[]string{"--policy", "prio", "--priority", "258"}, 0x00000005, []byte{0, 0, 1, 2}},
		{[]string{"--policy", "lu"}, 0x40000001, []byte{0, 0, 0, 0}},
		{[]string{"--policy", "lu", "--load-value", "100"}, 0x40000001, []byte{0xff, 0xff, 0xff, 0xff}},
		{[]string{"--policy", "lu", "--load-value", "50"}, 0x40000001, []byte{0x80, 0, 0, 0}},
		{
			[]string{"--policy", "lud", "--load-value", "20", "--degradation", "0.5"}, 0x40000002,
			[]byte{0x33, 0x33, 0x33, 0x33, 0x01, 0x47, 0xae, 0x14}, // 858,993,459 and 21,474,836.475
		},
		{[]string{"--policy", "plu", "--degradation", "100"}, 0x40000003, []byte{0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff}},
		{[]string{"--policy", "rlu", "--load-value", "20"}, 0x40000004, []byte{0x33, 0x33, 0x33, 0x33}},
	} {
		cfg, _, err := parsePE(peArgs(keyFile(t, "pe-1:"+testKey), test.flags...), env{stderr: io.Discard})
		if want := (wire.Policy{Type: test.number, Data: test.data}); err != nil || !reflect.DeepEqual(cfg.Policy, want) {
			t.Errorf("%v: %+v (%v), want %+v", test.flags, cfg.Policy, err, want)
		}
	}
}
