// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weir-lb/weir/bpf"
)

// manyPools are services of ten elements each, with maps that have room for them.
func manyPools(t testing.TB, n int) (*bpf.WeirMaps, *Steering, []Selection) {
	m := newMapsSized(t, map[string]uint32{
		"flows": 16, "flow_clients": 16, "elements": uint32(10*n + 1), "services": uint32(n + 1), "selections": uint32(n + 1)})
	must(t, WriteParameters(m, testClock(), limits(), testTimeouts()))
	var all []Selection
	var services []Service
	for i := range n {
		at := Service{VIP: netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 100, byte(i >> 8), byte(i)}), 80), Protocol: TCP}
		services = append(services, at)
		all = append(all, Selection{Service: at})
		for k := range 10 {
			all[i].Elements = append(all[i].Elements, element(uint32(k+1), fmt.Sprintf("10.%d.%d.%d:80", 120+k, i>>8, i&0xff)))
		}
	}
	s, err := OpenSteering(m, services)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return m, s, all
}

func TestApplyAllSwapsManyTables(t *testing.T) {
	const n = swapAtOnce + 3 // more than one call of the kernel
	m, s, all := manyPools(t, n)
	must(t, s.ApplyAll(all))
	for i := range all {
		all[i].Elements = slices.Delete(all[i].Elements, i%10, i%10+1)
	}
	must(t, s.ApplyAll(all))
	for _, i := range []int{0, 1, swapAtOnce - 1, swapAtOnce, n - 1} {
		count := sizes(table(t, m, rowOf(t, m, all[i].Service)))
		rows := s.Rows(all[i].Service)
		for _, row := range rows {
			if share := SelectionSlots / 9; count[row.Index] < share || count[row.Index] > share+1 {
				t.Errorf("service %d: element %s has %d slots", i, row.Addr, count[row.Index])
			}
		}
		if len(rows) != 9 || len(count) != 9 {
			t.Errorf("service %d has %d rows, and %d in its table", i, len(rows), len(count))
		}
	}
}

func TestApplyAllLeavesOutWhatIsNoService(t *testing.T) {
	m := newMaps(t)
	s := open(t, m, web())
	err := s.ApplyAll([]Selection{{Service: dns()}, {Service: web(), Elements: []Element{element(1, "10.0.0.1:80")}}})
	if err == nil || err.Error() != "apply to udp://10.0.100.1:53: not a service" {
		t.Errorf("got %v", err)
	}
	if count := sizes(table(t, m, rowOf(t, m, web()))); count[1] != SelectionSlots {
		t.Errorf("the other service has %v", count)
	}
}

// A table may have any number of slots, and another one at any time: what the service's row says is
// never more than what its table has.
func TestSlotsOfService(t *testing.T) {
	m := newMaps(t)
	s := open(t, m, web())
	list := []Element{element(1, "10.0.0.1:80"), element(2, "10.0.0.2:80"), element(3, "10.0.0.3:80")}
	must(t, s.Apply(web(), list))
	for _, slots := range []int{MinSlots, 100_003, 1000, SelectionSlots} {
		must(t, s.Configure(web(), Options{Slots: slots}))
		row, is := service(t, m, web())
		got := tableOf(t, m, row)
		if int(is.Slots) != slots || len(got) < slots || len(got) > slots+cellSlots {
			t.Errorf("%d slots: the row says %d, the table has %d", slots, is.Slots, len(got))
		}
		want := filledOf(slots, []candidate{{1, 1, list[0].Addr, 1}, {2, 2, list[1].Addr, 1}, {3, 3, list[2].Addr, 1}})
		if !slices.Equal(got[:slots], want) {
			t.Errorf("%d slots: another table than that of the elements", slots)
		}
		again := open(t, m, web())
		must(t, again.Apply(web(), list))
		if now := tableOf(t, m, row); !slices.Equal(now, got) {
			t.Errorf("%d slots: an agent that starts has another table", slots)
		}
	}
}

// withoutOne are the selections with an element less that takes new flows.
func withoutOne(all []Selection) []Selection {
	fewer := slices.Clone(all)
	for i := range fewer {
		fewer[i].Elements = slices.Clone(all[i].Elements)
		fewer[i].Elements[i%10].State = Draining
	}
	return fewer
}

// One change has to be in the kernel within 20 ms.
func BenchmarkOneChange(b *testing.B) {
	_, s, all := manyPools(b, 1)
	fewer := withoutOne(all)
	for i := 0; b.Loop(); i++ {
		must(b, s.ApplyAll([][]Selection{fewer, all}[i%2]))
	}
}

// The limit is 2.5 s for 1,000 tables of 65,537 slots, when in each an element comes or goes. What the
// processor spent on it is told beside the time, as others use this machine too.
func BenchmarkRebuild1000(b *testing.B) {
	_, s, all := manyPools(b, 1000)
	fewer := withoutOne(all)
	must(b, s.ApplyAll(all))
	before := spent(b)
	for i := 0; b.Loop(); i++ {
		must(b, s.ApplyAll([][]Selection{fewer, all}[i%2]))
	}
	b.ReportMetric((spent(b)-before).Seconds()/float64(b.N), "cpu-s/op")
}

func spent(t testing.TB) time.Duration {
	var u unix.Rusage
	must(t, unix.Getrusage(unix.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
