// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"slices"
	"testing"

	"github.com/weir-lb/weir/bpf"
)

// openFlows is the flow table of maps, and who writes to it.
func openFlows(t *testing.T, m *bpf.WeirMaps) (*Flows, *program) {
	t.Helper()
	f, err := OpenFlows(m, testClock())
	must(t, err)
	t.Cleanup(func() { must(t, f.Close()) })
	return f, programOf(f)
}

func TestTCPFlowsAreThoseToBeTold(t *testing.T) {
	m := newMaps(t)
	open(t, m, web(), web6(), dns())
	f, p := openFlows(t, m)
	row4, row6 := rowOf(t, m, web()), rowOf(t, m, web6())
	const udp = bpf.WeirFlowClassFLOW_UDP
	to := func(client string, service uint16, state bpf.WeirFlowState) flow {
		return flow{client: addr(client), service: service, element: 1, state: state}
	}
	other := to("10.0.9.1:9", row4, isOpen)
	other.element = 2
	p.mustBegin(t,
		to("10.0.9.1:1", row4, isOpen), to("[2001:db8::9]:1", row6, isOpen),
		to("10.0.9.1:2", row4, isAnswered), to("[2001:db8::9]:2", row6, bpf.WeirFlowStateFLOW_CLIENT_CLOSED),
		to("10.0.9.1:3", row4, bpf.WeirFlowStateFLOW_ELEMENT_CLOSED),
		to("10.0.9.1:4", row4, isOpening), to("10.0.9.1:5", row4, isClosed), to("[2001:db8::9]:6", row6, isReset),
		ofClass(udp, to("10.0.9.1:7", rowOf(t, m, dns()), isOpen)), other)
	got, err := f.ToTell(1)
	must(t, err)
	slices.SortFunc(got, func(a, b Flow) int { return a.Client.Compare(b.Client) })
	want := []Flow{
		{addr("10.0.9.1:1"), web().VIP}, {addr("10.0.9.1:2"), web().VIP}, {addr("10.0.9.1:3"), web().VIP},
		{addr("[2001:db8::9]:1"), web6().VIP}, {addr("[2001:db8::9]:2"), web6().VIP},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// The client of an IPv6 flow lies beside the table: when the entry is another's by now, so is that.
func TestClientOfEntryThatChanged(t *testing.T) {
	f, p := tinyFlows(4)
	p.write(flow{client: addr("[2001:db8::1]:1"), service: 1, element: 1, state: isOpen}, 2, 3)
	e, _ := f.read(2, 3)
	if client, ok := f.client(e); !ok || client != addr("[2001:db8::1]:1") {
		t.Errorf("client %s, %t", client, ok)
	}
	p.write(flow{client: addr("[2001:db8::2]:2"), service: 1, element: 1, state: isOpen}, 2, 3)
	if client, ok := f.client(e); ok {
		t.Errorf("the entry is that of %s", client)
	}
	e, _ = f.read(2, 3)
	p.buckets[2].Ways[3].State = uint8(bpf.WeirFlowStateFLOW_BUSY)
	if client, ok := f.client(e); ok {
		t.Errorf("the entry is being written, and is that of %s", client)
	}
}

// A client may talk to several services from one port.
func TestElementsOfClient(t *testing.T) {
	f, p := tinyFlows(4)
	for _, client := range []string{"10.0.9.1:1", "[2001:db8::9]:1"} {
		to := func(service, element uint16) flow {
			return flow{client: addr(client), service: service, element: element, state: isOpen}
		}
		p.mustBegin(t, to(1, 11), to(2, 12), ofClass(bpf.WeirFlowClassFLOW_UDP, to(3, 13)))
		if got := f.Elements(addr(client), TCP); !slices.Equal(slices.Sorted(slices.Values(got)), []uint16{11, 12}) {
			t.Errorf("%s: TCP flows to %v, want 11 and 12", client, got)
		}
		if got := f.Elements(addr(client), UDP); !slices.Equal(got, []uint16{13}) {
			t.Errorf("%s: UDP flows to %v, want 13", client, got)
		}
	}
	if got := f.Elements(addr("10.0.9.1:2"), TCP); got != nil {
		t.Errorf("a client without flows has them to %v", got)
	}
}

// Of as many flows as the table is made for one in 1,200 finds no place, and next to none of the first half.
func TestFlowBucketsAreEnough(t *testing.T) {
	for n, want := range map[uint32]uint32{0: 0, 1: 1, 25: 16, 26: 17, 1_000_000: 640_000, 1<<32 - 1: 2_748_779_069} {
		if got := FlowBuckets(n); got != want {
			t.Errorf("%d flows: %d buckets, want %d", n, got, want)
		}
	}
	const flows = 50_000
	_, p := tinyFlows(int(FlowBuckets(flows)))
	lost := 0
	for i := range flows {
		if stored, _ := p.begin(flow{client: clientOf(i), service: 1, element: 1, state: isOpen}); !stored {
			lost++
		}
		if i == flows/2 && lost > flows/2/5000 {
			t.Errorf("%d of %d flows without a place", lost, flows/2)
		}
	}
	if lost > flows/1000 {
		t.Errorf("%d of %d flows without a place", lost, flows)
	}
}

func TestTablesThatDoNotFit(t *testing.T) {
	m := newMaps(t)
	if _, err := mapFlows(m.FlowClients, m.FlowClients); err == nil {
		t.Error("a map of other values is taken for a flow table")
	}
	larger := newMapsOf(t, 2*testBuckets)
	if _, err := mapFlows(m.Flows, larger.FlowClients); err == nil || err.Error() != "the flow table and its clients differ in size" {
		t.Errorf("tables of two sizes: %v", err)
	}
}
