// SPDX-License-Identifier: Apache-2.0

package asap_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/weir-lb/weir/registrar/asap"
)

func TestUnreachable(t *testing.T) {
	three := []event{registers(0, "a", "web", 1), reports(1, "r", "web", 1), reports(1, "s", "web", 1)}
	answered := []event{registers(0, "a", "web", 1), reports(1, "r", "web", 1), acks(1.1, "a", "web", 1)}
	many := then(three, reports(1, "t", "web", 1), reports(1, "b", "web", 1), reports(1, "c", "web", 1))
	checkRules(t, []rule{
		{"RFC 5352 3.5: a probe at once, with the H flag 0", three[:1], reports(1, "r", "web", 1), []string{probe1}},
		{"one probe at a time", three[:2], reports(1, "s", "web", 1), nil},
		{"RFC 5352 3.5: who answers the probe stays", answered, passes(4.5), nil},
		{"RFC 5352 3.5: who does not is removed", three[:2], passes(4), []string{"web: 1 lost", "close a"}},
		{"however many report it: who may yet answer stays", many, reports(2, "b.2", "web", 1), nil},
		{"and does if it answers", then(many, acks(2, "a", "web", 1)), passes(4), nil},
		{
			"threats 2.14: a repeated report of one identity is not passed on at once",
			answered, reports(1.2, "r", "web", 1), nil,
		},
		{"but it is after half an interval", answered, reports(6, "r", "web", 1), []string{probe1}},
		{"and another's report is", answered, reports(1.2, "s", "web", 1), []string{probe1}},
		{
			"threats 2.14: but not at once that of one who has proven nothing",
			answered, reports(1.9, "anonymous", "web", 1), nil,
		},
		{"only after a while", answered, reports(2, "anonymous", "web", 1), []string{probe1}},
		{
			"who is away cannot be probed",
			[]event{registers(0, "a", "web", 1), closes(1, "a")}, reports(1, "r", "web", 1), nil,
		},
		{"nobody knows the element", nil, reports(0, "r", "web", 1), nil},
		{"nobody has reported it", three[:1], reports(0, "nobody", "web", 1), nil},
	})
}

// away is an element that cannot be asked, and has been reported by three.
func away() []event {
	return []event{
		registers(0, "a", "web", 1), closes(0.5, "a"),
		reports(0.6, "r", "web", 1), reports(0.6, "s", "web", 1), reports(0.6, "t", "web", 1),
	}
}

// RFC 5352 3.5: "If the counter exceeds the protocol threshold MAX-BAD-PE-REPORT, the ENRP server SHOULD remove the PE".
func TestReportsOfWhoCannotBeAsked(t *testing.T) {
	gone := []string{"web: 1 unreachable"}
	networks := func(list ...peer) []event {
		all := away()[:2]
		for _, p := range list {
			all = append(all, reports(0.6, p, "web", 1))
		}
		return all
	}
	checkRules(t, []rule{
		{"the fourth exceeds three", away(), reports(1, "b", "web", 1), gone},
		{"one identity counts once, whatever its sessions", away(), reports(1, "r.2", "web", 1), nil},
		{
			"a registration clears the count",
			append(away(), registers(1, "a", "web", 1), closes(1, "a")), reports(1.1, "b", "web", 1), nil,
		},
		{
			"who has proven nothing counts once for each address",
			networks("anonymous@10.1.0.1", "anonymous@10.1.0.2", "anonymous@10.1.0.3"),
			reports(1, "anonymous@10.1.0.4", "web", 1), gone,
		},
		{
			"and not for each session",
			networks("anonymous@10.1.0.1", "anonymous@10.1.0.2", "anonymous@10.1.0.3"),
			reports(1, "anonymous.2@10.1.0.3", "web", 1), nil,
		},
		{
			"of IPv6 for each network of 64 bits",
			networks("anonymous@2001:db8::1", "anonymous@2001:db8::2", "anonymous@2001:db8::3"),
			reports(1, "anonymous@2001:db8::4", "web", 1), nil,
		},
		{
			"of which there are many",
			networks("anonymous@2001:db8::1", "anonymous@2001:db8:0:1::1", "anonymous@2001:db8:0:2::1"),
			reports(1, "anonymous@2001:db8:0:3::1", "web", 1), gone,
		},
		{
			"an IPv4-mapped address is the IPv4 address",
			networks("plain@10.1.0.1", "plain@10.1.0.2", "plain@::ffff:10.1.0.2"),
			reports(1, "plain@10.1.0.4", "web", 1), nil,
		},
		{
			"an association with several addresses counts once",
			networks("plain@10.1.0.1,10.1.0.2/sctp", "plain@10.1.0.2,10.1.0.1/sctp", "r"),
			reports(1, "s", "web", 1), nil,
		},
	}, func(c *asap.Config) { c.Grace = time.Hour })
}

func TestReportsDecay(t *testing.T) {
	long := func(c *asap.Config) { c.Grace, c.ReportWindow = time.Hour, time.Minute }
	checkRules(t, []rule{
		{
			"a report counts for a while", away(), reports(60.5, "b", "web", 1),
			[]string{"web: 1 unreachable"},
		},
		{"and then no more", away(), reports(60.6, "b", "web", 1), nil},
		{
			"one that is repeated counts from then on",
			append(away(), reports(30, "r", "web", 1), reports(30, "s", "web", 1), reports(30, "t", "web", 1)),
			reports(61, "b", "web", 1),
			[]string{"web: 1 unreachable"},
		},
	}, long)
}

// Whoever reports, what is remembered of it is bounded, and what it makes us send too.
func TestFloodOfReports(t *testing.T) {
	w := newWorld()
	w.play(registers(0, "a", "web", 1))
	for i := range 1000 {
		at := 1 + float64(i)/1000
		p := peer(fmt.Sprintf("anonymous@10.%d.%d.1", i/250, i%250))
		if got := w.lines(w.play(reports(at, p, "web", 1))); len(got) > 0 && got[0] != probe1 {
			t.Fatalf("report %d: %q", i, got)
		}
		w.play(acks(at, "a", "web", 1))
	}
	if n := w.core.Counters(); n.KeepAlives != 1 || n.UnreachableReports != 1000 || n.Elements != 1 {
		t.Errorf("%d keep-alives for %d reports in a second, %d elements; want 1, 1000, 1", n.KeepAlives, n.UnreachableReports, n.Elements)
	}
}
