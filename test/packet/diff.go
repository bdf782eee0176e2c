// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"bytes"
	"fmt"
	"strings"
)

// maxByteLines bounds how many differing bytes Diff lists one by one.
const maxByteLines = 16

// Diff says how two frames differ, a line a field, and "" if they are equal. It
// adds what Verify finds wrong in got, if they differ.
func Diff(want, got []byte) string {
	if bytes.Equal(want, got) {
		return ""
	}
	lines := diffFields(want, got)
	if len(lines) == 0 {
		lines = diffBytes(want, got)
	}
	if err := Verify(got); err != nil {
		lines = append(lines, "got has: "+strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return strings.Join(lines, "\n")
}

// diffFields finds nothing if either frame cannot be decoded, or if they differ
// in no field that a Packet has.
func diffFields(want, got []byte) []string {
	w, wantErr := Decode(want)
	g, gotErr := Decode(got)
	if wantErr != nil || gotErr != nil {
		return nil
	}
	var lines []string
	wantFields, gotFields := w.fields(), g.fields()
	inside := innerDiff(want, got)
	for i, f := range wantFields {
		if f.value != gotFields[i].value && (f.name != "payload" || inside == nil) {
			lines = append(lines, fmt.Sprintf("%s: want %s, got %s", f.name, f.value, gotFields[i].value))
		}
	}
	return append(lines, inside...)
}

// innerDiff is nil unless both frames are of tunnels, and differ there in a field.
func innerDiff(want, got []byte) []string {
	w, g := Inner(want), Inner(got)
	if w == nil || g == nil || bytes.Equal(w, g) {
		return nil
	}
	var lines []string
	for _, line := range diffFields(w, g) {
		lines = append(lines, "inside, "+line)
	}
	return lines
}

type field struct{ name, value string }

// fields is always of the same names in the same order.
func (p Packet) fields() []field {
	var list []field
	add := func(name string, value any) { list = append(list, field{name, fmt.Sprint(value)}) }
	add("source MAC", p.SrcMAC)
	add("destination MAC", p.DstMAC)
	add("VLAN tags", fmt.Sprintf("%04x", p.Tags))
	add("IPv6", p.Is6())
	add("protocol", p.Protocol)
	add("source", p.Src)
	add("destination", p.Dst)
	add("TOS", p.TOS)
	add("flow label", p.FlowLabel)
	add("IP id", p.ID)
	add("TTL", p.TTL)
	add("don't fragment", p.DontFragment)
	add("more fragments", p.MoreFragments)
	add("fragment offset", p.FragmentOffset)
	add("IP options", p.IPOptions)
	add("extension headers", fmt.Sprintf("%x", p.Extensions))
	add("bad IP checksum", p.BadIPChecksum)
	add("flags", p.Flags)
	add("sequence number", p.Seq)
	add("acknowledgement number", p.Ack)
	add("window", p.Window)
	add("urgent pointer", p.Urgent)
	add("TCP options", p.TCPOptions)
	add("ICMP type", p.ICMPType)
	add("ICMP code", p.ICMPCode)
	add("ICMP rest of header", fmt.Sprintf("%x", p.ICMPRest))
	add("verification tag", p.VerificationTag)
	add("checksum coverage", p.Coverage)
	add("DCCP type", p.DCCPType)
	add("DCCP checksum coverage", p.DCCPCoverage)
	add("bad checksum", p.BadChecksum)
	add("no UDP checksum", p.NoUDPChecksum)
	add("payload", fmt.Sprintf("%d bytes %x", len(p.Payload), p.Payload))
	return list
}

func diffBytes(want, got []byte) []string {
	var lines []string
	if len(want) != len(got) {
		lines = append(lines, fmt.Sprintf("length: want %d, got %d bytes", len(want), len(got)))
	}
	differing := 0
	for i := range min(len(want), len(got)) {
		if want[i] == got[i] {
			continue
		}
		if differing++; differing <= maxByteLines {
			lines = append(lines, fmt.Sprintf("byte %d: want %02x, got %02x", i, want[i], got[i]))
		}
	}
	if differing > maxByteLines {
		lines = append(lines, fmt.Sprintf("and %d bytes more", differing-maxByteLines))
	}
	return lines
}
