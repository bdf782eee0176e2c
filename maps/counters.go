// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"fmt"

	"github.com/weir-lb/weir/bpf"
)

// Action is what the kernel does with a packet.
type Action string

const (
	Pass     Action = "pass"
	Drop     Action = "drop"
	TX       Action = "tx"
	Redirect Action = "redirect" // out of another interface, or back out of the same
)

// Verdict describes one row of the counters for people.
type Verdict struct {
	Name   string // stable, snake_case: the metrics' label
	Action Action
	Reason string // one clause that an operator understands
}

// verdicts holds the description of each enum verdict of bpf/types.h, by its number.
var verdicts = [bpf.WeirVerdictVERDICT_MAX]Verdict{
	bpf.WeirVerdictVERDICT_NOT_OURS:           {"not_ours", Pass, "no service, no guarded port, no flow"},
	bpf.WeirVerdictVERDICT_MALFORMED:          {"malformed", Pass, "not parseable, left to the stack"},
	bpf.WeirVerdictVERDICT_FRAGMENT:           {"fragment", Pass, "a fragment of no service, or before the first one of its packet; left to the stack"},
	bpf.WeirVerdictVERDICT_UNREADABLE:         {"unreadable", Drop, "more VLAN tags or IPv6 extension headers than are looked through, or a jumbogram"},
	bpf.WeirVerdictVERDICT_GUARD_ADMITTED:     {"guard_admitted", Pass, "flow of an authenticated session"},
	bpf.WeirVerdictVERDICT_GUARD_NEWCOMER:     {"guard_newcomer", Pass, "a stranger's SYN within the global budget"},
	bpf.WeirVerdictVERDICT_GUARD_PROVEN:       {"guard_proven", Pass, "SYN from an address that proved itself"},
	bpf.WeirVerdictVERDICT_GUARD_HANDSHAKE:    {"guard_handshake", Pass, "packet of a handshake within its budget"},
	bpf.WeirVerdictVERDICT_GUARD_CHALLENGED:   {"guard_challenged", TX, "SYN answered by a proof-of-address challenge"},
	bpf.WeirVerdictVERDICT_GUARD_PROOF:        {"guard_proof", Drop, "answer to a challenge, consumed"},
	bpf.WeirVerdictVERDICT_GUARD_FALSE_PROOF:  {"guard_false_proof", Drop, "reset that answers no challenge"},
	bpf.WeirVerdictVERDICT_GUARD_SOURCE_SPENT: {"guard_source_spent", Drop, "the source's budget of SYNs is spent"},
	bpf.WeirVerdictVERDICT_GUARD_GLOBAL_SPENT: {"guard_global_spent", Drop, "the budgets of newcomers and challenges are spent"},
	bpf.WeirVerdictVERDICT_GUARD_UNKNOWN_FLOW: {"guard_unknown_flow", Drop, "belongs to no connection that was let in"},
	bpf.WeirVerdictVERDICT_GUARD_FLOW_SPENT:   {"guard_flow_spent", Drop, "too many packets or too late before admission"},
	bpf.WeirVerdictVERDICT_GUARD_NOT_TCP:      {"guard_not_tcp", Drop, "another protocol at the registrar's port"},
	bpf.WeirVerdictVERDICT_GUARD_FRAGMENT:     {"guard_fragment", Drop, "fragment for the registrar's port"},
	bpf.WeirVerdictVERDICT_GUARD_MALFORMED:    {"guard_malformed", Drop, "impossible header for the registrar's port"},
	bpf.WeirVerdictVERDICT_STEER_FORWARD:      {"steer_forward", Redirect, "to the flow's element"},
	bpf.WeirVerdictVERDICT_STEER_RETURN:       {"steer_return", Redirect, "from an element back to the client"},
	bpf.WeirVerdictVERDICT_STEER_ICMP:         {"steer_icmp", Redirect, "ICMP error about a flow's packet, to the end that sent it"},
	bpf.WeirVerdictVERDICT_STEER_NEIGHBOR:     {"steer_neighbor", Pass, "forwarded by the stack: an unresolved neighbour, to be fragmented, or an interface that is not Weir's"},
	bpf.WeirVerdictVERDICT_STEER_RESET:        {"steer_reset", TX, "client told by a RST that its element is lost"},
	bpf.WeirVerdictVERDICT_STEER_REFUSED:      {"steer_refused", TX, "SYN refused by a RST: the pool has no element"},
	bpf.WeirVerdictVERDICT_STEER_NO_ELEMENT:   {"steer_no_element", Drop, "the pool has no element"},
	bpf.WeirVerdictVERDICT_STEER_LOST:         {"steer_lost", Drop, "for an element that is lost: a RST, or a datagram whose sender was not told"},
	bpf.WeirVerdictVERDICT_STEER_UNREACHABLE:  {"steer_unreachable", TX, "client told by an ICMP error that its element is lost"},
	bpf.WeirVerdictVERDICT_STEER_STRAY:        {"steer_stray", Drop, "RST, ABORT or Reset that belongs to no flow"},
	bpf.WeirVerdictVERDICT_STEER_NO_ROUTE:     {"steer_no_route", Drop, "no route or, but for NAT, no neighbour to the next hop"},
	bpf.WeirVerdictVERDICT_STEER_TOO_BIG:      {"steer_too_big", TX, "sender told by an ICMP error that the packet is larger than the next hop's MTU"},
	bpf.WeirVerdictVERDICT_STEER_OVERSIZE:     {"steer_oversize", Drop, "larger than the next hop's MTU, and nobody to tell or the budget for that spent"},
	bpf.WeirVerdictVERDICT_STEER_NAT_CONFLICT: {"steer_nat_conflict", Drop, "the client's port is in use at every element tried"},
	bpf.WeirVerdictVERDICT_STEER_TABLE_FULL:   {"steer_table_full", Drop, "the flow table has no place but those of live flows"},
	bpf.WeirVerdictVERDICT_STEER_FRAGMENT:     {"steer_fragment", Drop, "fragment of a service that takes none, or of SCTP to another port"},
	bpf.WeirVerdictVERDICT_STEER_AGAIN:        {"steer_again", Drop, "RST of an element that does not know a flow which the table had lost: it is tried at the element by the key before"},
	bpf.WeirVerdictVERDICT_STEER_DENIED:       {"steer_denied", Drop, "the service is not for this client"},
	bpf.WeirVerdictVERDICT_STEER_TTL:          {"steer_ttl", Pass, "time to live is over, left to the stack"},
	bpf.WeirVerdictVERDICT_STEER_MALFORMED:    {"steer_malformed", Drop, "impossible header for a service"},
}

// Count is what one verdict counted since the maps were made; bytes are of whole frames.
type Count struct {
	Verdict
	Packets, Bytes uint64
}

// ReadCounts sums the counters of all CPUs, one Count a verdict, in the enum's order.
func ReadCounts(m *bpf.WeirMaps) ([]Count, error) {
	counts := make([]Count, len(verdicts))
	var cpus []bpf.WeirCount
	for i, v := range verdicts {
		if err := m.Counters.Lookup(uint32(i), &cpus); err != nil {
			return nil, fmt.Errorf("read counter %s: %w", v.Name, err)
		}
		counts[i].Verdict = v
		for _, c := range cpus {
			counts[i].Packets += c.Packets
			counts[i].Bytes += c.Bytes
		}
	}
	return counts, nil
}
