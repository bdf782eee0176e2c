// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"errors"
	"net/netip"
	"os"
	"testing"
	"time"
)

func TestBlock(t *testing.T) {
	l := newLab(t, "lab-block")
	router := newNode(t, l, "router")
	try(t, router.Sysctl("net.ipv4.ip_forward", "1"))
	var hosts []*Node
	for _, name := range []string{"a", "b"} {
		net := "10.9." + map[string]string{"a": "1", "b": "2"}[name]
		host, err := l.Host(name, End{Name: "eth0", Addr: netip.MustParsePrefix(net + ".2/24")},
			End{Node: router, Name: name, Addr: netip.MustParsePrefix(net + ".1/24")})
		try(t, err)
		hosts = append(hosts, host)
	}
	a, b := netip.MustParsePrefix("10.9.1.2/32"), netip.MustParsePrefix("10.9.2.2/32")
	checkEchoes(t, hosts[0], hosts[1], b.Addr().String())

	try(t, router.Block(a, b))
	if err := pingWithin(hosts[0], b.Addr().String(), 200*time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a ping through a block: %v, want no answer", err)
	}
	if err := ping(hosts[0], "10.9.1.1"); err != nil {
		t.Errorf("what is not blocked: %v", err)
	}

	try(t, router.Unblock(a, b))
	checkEchoes(t, hosts[0], hosts[1], b.Addr().String())
	if router.Unblock(a, b) == nil {
		t.Error("nothing is blocked, and Unblock has no error")
	}
}
