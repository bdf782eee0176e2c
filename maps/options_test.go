// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"testing"

	"github.com/weir-lb/weir/bpf"
)

func TestConfigureWritesServiceAndElements(t *testing.T) {
	m := newMaps(t)
	s := open(t, m, web(), dns())
	must(t, s.Apply(web(), []Element{element(1, "10.0.0.1:80")}))
	must(t, s.Apply(dns(), []Element{element(2, "10.0.0.2:53")}))
	for _, mode := range []Mode{DSR, DSR, NAT} {
		must(t, s.Configure(web(), Options{Mode: mode}))
		must(t, s.Apply(web(), []Element{element(1, "10.0.0.1:80"), element(3, "10.0.0.3:80")}))
		if _, is := service(t, m, web()); Mode(is.Mode) != mode || is.Kind != serviced || is.Slots != SelectionSlots {
			t.Errorf("%s: service row %+v", mode, is)
		}
		for _, row := range s.Rows(web()) {
			if e := lookup[bpf.WeirElement](t, m.Elements, uint32(row.Index)); Mode(e.Mode) != mode || e.Pe != row.PE || State(e.State) != Active {
				t.Errorf("%s: element row %+v", mode, e)
			}
		}
		if _, is := service(t, m, dns()); Mode(is.Mode) != NAT {
			t.Errorf("%s: the other service has %+v", mode, is)
		}
	}
	if err := s.Configure(web6(), Options{}); err == nil || err.Error() != "configure tcp://[2001:db8:100::1]:80: not a service" {
		t.Errorf("configured what is no service: %v", err)
	}
}

func TestModeNames(t *testing.T) {
	for mode, want := range map[Mode]string{NAT: "nat", DSR: "dsr", 77: "mode-77"} {
		if mode.String() != want {
			t.Errorf("got %s, want %s", mode, want)
		}
	}
}
