// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/weir-lb/weir/bpf"
	"github.com/weir-lb/weir/maps"
)

// someClient is a random one that there is a way to.
func someClient(random *rand.Rand, v6 bool) netip.AddrPort {
	port := uint16(1 + random.IntN(65535))
	if !v6 {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(64 + random.IntN(64)), byte(random.Uint32()), byte(random.Uint32())}), port)
	}
	addr := [16]byte{0xfd, 0x64}
	for i := 2; i < len(addr); i++ {
		addr[i] = byte(random.Uint32())
	}
	return netip.AddrPortFrom(netip.AddrFrom16(addr), port)
}

// Program and agent have one hash: the agent finds each client's flow where the program has put it, and of
// all flows of an element it can tell whose they are.
func TestAgentFindsFlowsOfTheProgram(t *testing.T) {
	for _, tt := range []struct {
		family   string
		v6       bool
		service  maps.Service
		elements []string
	}{
		{"IPv4", false, web(), []string{element1, element2}},
		{"IPv6", true, web6(), []string{element6, element62}},
	} {
		t.Run(tt.family, func(t *testing.T) {
			f := newFixture(t)
			f.pool(tt.service, tt.elements...)
			rows, clients := map[netip.AddrPort]uint16{}, map[uint16][]netip.AddrPort{}
			for _, row := range f.steering.Rows(tt.service) {
				rows[row.Addr] = row.Index
			}
			random := rand.New(rand.NewPCG(1, 2))
			for range 400 {
				client := someClient(random, tt.v6)
				row := rows[f.elementOf(t, client.String(), tt.service.VIP.String())]
				clients[row] = append(clients[row], client)
				if got := f.flows.Elements(client, maps.TCP); !slices.Equal(got, []uint16{row}) {
					t.Fatalf("%s has flows to rows %v, want row %d", client, got, row)
				}
			}
			f.establish()
			for _, row := range rows {
				f.told(row, tt.service.VIP, clients[row])
			}
		})
	}
}

// establish makes all flows established ones.
func (f *fixture) establish() {
	f.Helper()
	f.eachBucket(func(b *bpf.WeirFlowBucket) {
		for i := range b.Ways {
			if b.Ways[i].State&0x0f >= uint8(bpf.WeirFlowStateFLOW_OPENING) {
				b.Ways[i].State = b.Ways[i].State&0xf0 | uint8(bpf.WeirFlowStateFLOW_ESTABLISHED)
			}
		}
	})
}

// told checks who would be told that the element of a row is lost.
func (f *fixture) told(row uint16, vip netip.AddrPort, clients []netip.AddrPort) {
	f.Helper()
	flows, err := f.flows.ToTell(row)
	must(f, err)
	var got []netip.AddrPort
	for _, flow := range flows {
		got = append(got, flow.Client)
		if flow.VIP != vip {
			f.Errorf("%s is told by %s, want %s", flow.Client, flow.VIP, vip)
		}
	}
	slices.SortFunc(got, netip.AddrPort.Compare)
	slices.SortFunc(clients, netip.AddrPort.Compare)
	if !slices.Equal(got, clients) {
		f.Errorf("row %d: %d clients would be told, want %d, these: %v", row, len(got), len(clients), clients)
	}
}
