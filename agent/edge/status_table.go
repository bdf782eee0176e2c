// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/weir-lb/weir/agent/operate"
	"github.com/weir-lb/weir/maps"
)

// WriteTable writes the status for people, in at most 100 columns with names of
// usual length: what needs attention is in capitals, drops come with the most
// frequent first.
func (s Status) WriteTable(w io.Writer, now time.Time) error {
	var b bytes.Buffer
	s.writeHead(&b, now)
	operate.WritePeers(&b, s.Peers, now)
	for _, service := range s.Services {
		service.write(&b, s.ServerID)
	}
	drops, others := split(s.Verdicts)
	writeVerdicts(&b, "DROPPED", drops)
	writeVerdicts(&b, "OTHER VERDICTS", others)
	writeTallies(&b, s.Tallies)
	_, err := w.Write(b.Bytes())
	return err
}

func (s Status) writeHead(b *bytes.Buffer, now time.Time) {
	state := "ready"
	switch {
	case !s.Ready:
		state = "NOT READY"
	case s.Recovering:
		state = "ready, RECOVERING: elements of the last run are kept until they register again"
	}
	fmt.Fprintf(b, "weir edge  %s\n", state)
	var interfaces []string
	for _, i := range s.Interfaces {
		interfaces = append(interfaces, fmt.Sprintf("%s (%s)", i.Name, i.Mode))
	}
	fmt.Fprintf(b, "registrar  %s, server %s: %d sessions, %d elements in %d pools\n",
		s.Listen, s.ServerID, s.Registrar.Sessions, s.Registrar.Elements, s.Registrar.Pools)
	operate.WriteCounts(b, "refused", s.Registrar.Refused)
	operate.WriteCounts(b, "rejected", s.Registrar.Rejected)
	operate.WriteCounts(b, "departed", s.Registrar.Departed)
	fmt.Fprintf(b, "interfaces %s\n", cmp.Or(strings.Join(interfaces, ", "), "NONE"))
	if said := s.Selection.String(); said != "" {
		fmt.Fprintf(b, "selection  %s\n", said)
	}
	fmt.Fprintf(b, "up         %s, since %s\n", now.Sub(s.StartedAt).Truncate(time.Second), s.StartedAt.UTC().Format(time.RFC3339))
}

// write names the interface by which an element is reached: "unresolved" if the kernel is asked for each of its packets.
// It has a column for the homes of elements if one has another than ours.
func (s ServiceStatus) write(b *bytes.Buffer, ours string) {
	active := 0
	for _, e := range s.Elements {
		if e.State == StateActive && !e.Drained {
			active++
		}
	}
	health := fmt.Sprintf("%d of %d elements active", active, len(s.Elements))
	if active == 0 {
		health = "NO ACTIVE ELEMENT: new flows are refused"
	}
	fmt.Fprintf(b, "\n%s  pool %s  policy %s  flows %d  %s\n%s",
		s.VIP, s.Pool, cmp.Or(s.Policy, "unknown"), s.Flows, health, s.unusual())
	if len(s.Elements) == 0 {
		return
	}
	home := func(string) string { return "" }
	if slices.ContainsFunc(s.Elements, func(e ElementStatus) bool { return e.Home != "" && e.Home != ours }) {
		home = func(text string) string { return "\t" + cmp.Or(text, "-") }
	}
	t := operate.NewTable(b)
	fmt.Fprintf(t, "  ELEMENT\tIDENTITY\tADDRESS\t%6s\t%6s\tSTATE\t%9s\tVIA%s\n", "WEIGHT", "SHARE", "FLOWS", home("HOME"))
	for _, e := range s.Elements {
		via, _, _ := strings.Cut(e.NextHop, " ")
		fmt.Fprintf(t, "  %s\t%s\t%s\t%6s\t%5.1f%%\t%s\t%9d\t%s%s\n",
			e.PE, cmp.Or(e.Identity, "-"), e.Address, e.weight(), 100*e.Share, e.state(), e.Flows, cmp.Or(via, "unresolved"), home(e.Home))
	}
	t.Flush() // a bytes.Buffer takes everything
}

// unusual is a line of what is configured otherwise than by default.
func (s ServiceStatus) unusual() (line string) {
	if s.Mode != maps.NAT.String() {
		line += "  mode " + s.Mode
	}
	if s.Fragments != maps.ForwardFragments.String() {
		line += "  fragments " + s.Fragments
	}
	if s.OnLoss != maps.ResetFlows.String() {
		line += "  on_loss " + s.OnLoss
	}
	if s.Spread != "" && s.Spread != maps.Consistent.String() {
		line += "  spread by policy: " + s.Spread
	}
	if s.Affinity == AffinityClient.String() {
		line += "  affinity client"
	}
	if s.Slots != 0 && s.Slots != maps.SelectionSlots {
		line += fmt.Sprintf("  slots %d", s.Slots)
	}
	if s.Allowed > 0 {
		line += fmt.Sprintf("  allows %d prefixes", s.Allowed)
	}
	if s.Denied > 0 {
		line += fmt.Sprintf("  denies %d prefixes", s.Denied)
	}
	if line == "" {
		return ""
	}
	return line + "\n"
}

// state is in capitals if the element gets no new flows.
func (e ElementStatus) state() string {
	switch {
	case e.State == StateActive && e.Drained:
		return "DRAINED"
	case e.State == StateActive:
		return e.State
	case e.Drained:
		return strings.ToUpper(e.State) + ", DRAINED"
	}
	return strings.ToUpper(e.State)
}

// weight has a mark if it is an operator's.
func (e ElementStatus) weight() string {
	if e.Weighed {
		return fmt.Sprintf("=%d", e.Weight)
	}
	return fmt.Sprint(e.Weight)
}

// split parts the drops from the rest, each with the most frequent first and
// those that never happened last, by name.
func split(verdicts []VerdictStatus) (drops, others []VerdictStatus) {
	for _, v := range verdicts {
		if v.Action == "drop" {
			drops = append(drops, v)
		} else {
			others = append(others, v)
		}
	}
	for _, list := range [][]VerdictStatus{drops, others} {
		slices.SortFunc(list, func(a, b VerdictStatus) int {
			return cmp.Or(cmp.Compare(b.Packets, a.Packets), strings.Compare(a.Name, b.Name))
		})
	}
	return drops, others
}

// writeVerdicts lists what happened, and names what did not in one line.
func writeVerdicts(b *bytes.Buffer, title string, verdicts []VerdictStatus) {
	fmt.Fprintln(b)
	t := operate.NewTable(b)
	fmt.Fprintf(t, "%s\t%14s\t%8s\tREASON\n", title, "PACKETS", "BYTES")
	var never []string
	for _, v := range verdicts {
		if v.Packets == 0 {
			never = append(never, v.Name)
			continue
		}
		fmt.Fprintf(t, "  %s\t%14d\t%8s\t%s\n", v.Name, v.Packets, size(v.Bytes), v.Reason)
	}
	t.Flush()
	if len(never) > 0 {
		fmt.Fprintf(b, "  none: %s\n", operate.Wrap(strings.Join(never, ", "), 92, "\n        "))
	}
}

// writeTallies lists what happened beside the verdicts, or nothing.
func writeTallies(b *bytes.Buffer, tallies []TallyStatus) {
	happened := slices.DeleteFunc(slices.Clone(tallies), func(t TallyStatus) bool { return t.Count == 0 })
	if len(happened) == 0 {
		return
	}
	fmt.Fprintln(b)
	t := operate.NewTable(b)
	fmt.Fprintf(t, "BESIDE\t%14s\tREASON\n", "TIMES")
	for _, h := range happened {
		fmt.Fprintf(t, "  %s\t%14d\t%s\n", h.Name, h.Count, h.Reason)
	}
	t.Flush()
}

// size is a count of bytes with a unit: 999B, 1.5K, 20M (of 1024).
func size(n uint64) string {
	if n < 1024 {
		return fmt.Sprintf("%dB", n)
	}
	v, unit := float64(n), -1
	for v >= 1024 && unit < len("KMGTPE")-1 {
		v, unit = v/1024, unit+1
	}
	format := "%.1f%c"
	if v >= 9.95 {
		format = "%.0f%c"
	}
	return fmt.Sprintf(format, v, "KMGTPE"[unit])
}
