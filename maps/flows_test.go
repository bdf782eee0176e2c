// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	"github.com/weir-lb/weir/bpf"
)

const (
	isSYN         = uint8(bpf.WeirFlowStateFLOW_SYN)
	isEstablished = uint8(bpf.WeirFlowStateFLOW_ESTABLISHED)
	isClosing     = uint8(bpf.WeirFlowStateFLOW_CLOSING)
	isReset       = uint8(bpf.WeirFlowStateFLOW_RESET)
)

// way is one direction of a flow: how it stands and how long it has been silent, in ticks.
type way struct {
	state uint8
	idle  uint32
}

// conn is a flow as the program writes it, both directions under keys that a packet would make.
type conn struct {
	client, vip, element netip.AddrPort
	protocol             uint8
	row                  RowID
	ack                  uint32
}

func connection(client string) conn {
	return conn{client: addr(client), vip: addr("10.0.100.1:80"), element: addr("10.0.20.1:8080"), protocol: TCP, row: RowID{1, 1}}
}

func (c conn) keys() (forward, back bpf.WeirFlowKey) {
	forward = bpf.WeirFlowKey{Src: be32(c.client.Addr()), Sport: be16(c.client.Port()), Dst: be32(c.vip.Addr()), Dport: be16(c.vip.Port()),
		Protocol: c.protocol, Direction: uint8(bpf.WeirFlowDirectionFLOW_FORWARD)}
	back = bpf.WeirFlowKey{Src: be32(c.element.Addr()), Sport: be16(c.element.Port()), Dst: be32(c.client.Addr()), Dport: be16(c.client.Port()),
		Protocol: c.protocol, Direction: uint8(bpf.WeirFlowDirectionFLOW_RETURN)}
	return forward, back
}

// put writes the directions that are not nil.
func (c conn) put(t *testing.T, m *bpf.WeirMaps, forward, back *way) {
	t.Helper()
	now := uint32(monotonicNow() >> tickShift)
	to, from := c.keys()
	if forward != nil {
		must(t, m.Flows.Put(to, bpf.WeirFlow{Addr: be32(c.element.Addr()), Port: be16(c.element.Port()), State: forward.state,
			Element: c.row.Index, Generation: c.row.Generation, Seen: now - forward.idle, ClientAck: c.ack}))
	}
	if back != nil {
		must(t, m.Flows.Put(from, bpf.WeirFlow{Addr: be32(c.vip.Addr()), Port: be16(c.vip.Port()), State: back.state,
			Element: c.row.Index, Generation: c.row.Generation, Seen: now - back.idle}))
	}
}

// Ticks are 1.07 s: a timeout of 10 s has passed after 12 of them and not after 8.
func timeouts() Timeouts {
	return Timeouts{TCP: 40 * time.Second, Opening: 20 * time.Second, Closing: 10 * time.Second, UDP: 30 * time.Second}
}

func TestSweepKeepsAndForgets(t *testing.T) {
	for _, tt := range []struct {
		name          string
		protocol      uint8
		forward, back *way
		keep          bool
		live          uint64 // what the element is said to have
	}{
		{"established and fresh", TCP, &way{isEstablished, 0}, &way{isEstablished, 0}, true, 1},
		{"established, silent for less than its timeout", TCP, &way{isEstablished, 35}, &way{isEstablished, 35}, true, 1},
		{"established, silent for longer", TCP, &way{isEstablished, 42}, &way{isEstablished, 42}, false, 0},
		{"established, only the client silent", TCP, &way{isEstablished, 500}, &way{isEstablished, 3}, true, 1},
		{"established, only the element silent", TCP, &way{isEstablished, 3}, &way{isEstablished, 500}, true, 1},
		{"opening, silent for less than its timeout", TCP, &way{isSYN, 15}, &way{isSYN, 500}, true, 1},
		{"opening, silent for longer", TCP, &way{isSYN, 22}, &way{isSYN, 22}, false, 0},
		{"the element's SYN-ACK was answered", TCP, &way{isEstablished, 22}, &way{isSYN, 22}, true, 1},
		{"half closed by the client", TCP, &way{isClosing, 22}, &way{isEstablished, 22}, true, 1},
		{"half closed by the element", TCP, &way{isEstablished, 22}, &way{isClosing, 22}, true, 1},
		{"half closed and silent for long", TCP, &way{isClosing, 42}, &way{isEstablished, 42}, false, 0},
		{"closed, silent for less than its timeout", TCP, &way{isClosing, 7}, &way{isClosing, 7}, true, 1},
		{"closed, silent for longer", TCP, &way{isClosing, 12}, &way{isClosing, 12}, false, 0},
		{"reset by the client", TCP, &way{isReset, 12}, &way{isEstablished, 12}, false, 0},
		{"reset by the element", TCP, &way{isEstablished, 12}, &way{isReset, 12}, false, 0},
		{"reset a moment ago is no load", TCP, &way{isReset, 1}, &way{isEstablished, 1}, true, 0},
		{"datagrams, silent for less than their timeout", UDP, &way{isEstablished, 25}, &way{isEstablished, 25}, true, 1},
		{"datagrams, silent for longer", UDP, &way{isEstablished, 32}, &way{isEstablished, 32}, false, 0},
		{"the way back was evicted", TCP, &way{isEstablished, 35}, nil, true, 1},
		{"the way back was evicted, silent for longer", TCP, &way{isEstablished, 42}, nil, false, 0},
		{"the way there was evicted, silent for longer", TCP, nil, &way{isEstablished, 42}, false, 0},
		{"seen after the sweep began", TCP, &way{isEstablished, 1<<32 - 2}, &way{isEstablished, 0}, true, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := newMaps(t)
			c := connection("10.0.9.1:40000")
			c.protocol = tt.protocol
			c.put(t, m, tt.forward, tt.back)
			left := 0
			for _, w := range []*way{tt.forward, tt.back} {
				if w != nil && tt.keep {
					left++
				}
			}
			expired := uint64(0)
			if !tt.keep && tt.forward != nil {
				expired = 1
			}
			got, err := SweepFlows(m, timeouts())
			must(t, err)
			if n := entries(t, m.Flows); n != left {
				t.Errorf("%d entries left, want %d", n, left)
			}
			if got.Flows[c.row] != tt.live || got.Expired != expired {
				t.Errorf("swept %+v, want %d live and %d expired", got, tt.live, expired)
			}
		})
	}
}

// When a client uses its port again and the new flow has another element, the old flow's way back
// is left behind. Its end must not take the new flow's way there with it.
func TestSweepOfLeftoverKeepsLaterFlow(t *testing.T) {
	m := newMaps(t)
	old, later := connection("10.0.9.1:40000"), connection("10.0.9.1:40000")
	later.element, later.row = addr("10.0.20.2:8080"), RowID{2, 1}
	old.put(t, m, nil, &way{isClosing, 500})
	later.put(t, m, &way{isEstablished, 0}, &way{isEstablished, 0})
	got, err := SweepFlows(m, timeouts())
	must(t, err)
	if n := entries(t, m.Flows); n != 2 || got.Flows[later.row] != 1 {
		t.Errorf("%d entries left, want the 2 of the later flow; swept %+v", n, got)
	}
	forward, _ := later.keys()
	lookup[bpf.WeirFlow](t, m.Flows, forward)
}

func TestSweepCountsEachElement(t *testing.T) {
	m := newMaps(t)
	want := map[RowID]uint64{}
	for i := range 9000 { // more than two batches
		c := connection(fmt.Sprintf("10.0.9.1:%d", 1000+i))
		c.row = RowID{uint32(i % 7), uint32(i % 2)}
		c.put(t, m, &way{isEstablished, 0}, nil)
		want[c.row]++
	}
	got, err := SweepFlows(m, timeouts())
	must(t, err)
	if fmt.Sprint(got.Flows) != fmt.Sprint(want) {
		t.Errorf("got %v, want %v", got.Flows, want)
	}
}

func TestTCPFlowsAreThoseToBeTold(t *testing.T) {
	m := newMaps(t)
	put := func(client string, state uint8, change func(*conn)) {
		c := connection(client)
		c.ack = 0x80000001
		change(&c)
		c.put(t, m, &way{state, 0}, &way{isEstablished, 0})
	}
	same := func(*conn) {}
	put("10.0.9.1:1", isEstablished, same)
	put("10.0.9.1:2", isClosing, same)
	put("10.0.9.1:3", isReset, same)
	put("10.0.9.1:4", isSYN, same)
	put("10.0.9.1:5", isEstablished, func(c *conn) { c.protocol = UDP })
	put("10.0.9.1:6", isEstablished, func(c *conn) { c.row.Generation++ })
	put("10.0.9.1:7", isEstablished, func(c *conn) { c.row.Index++ })
	got, err := TCPFlows(m, RowID{1, 1})
	must(t, err)
	slices.SortFunc(got, func(a, b Flow) int { return a.Client.Compare(b.Client) })
	want := []Flow{
		{addr("10.0.9.1:1"), addr("10.0.100.1:80"), 0x80000001},
		{addr("10.0.9.1:2"), addr("10.0.100.1:80"), 0x80000001},
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestForgetFlows(t *testing.T) {
	m := newMaps(t)
	gone, later, other := connection("10.0.9.1:1"), connection("10.0.9.1:2"), connection("10.0.9.1:3")
	later.row.Generation++
	other.row.Index++
	for _, c := range []conn{gone, later, other} {
		c.put(t, m, &way{isEstablished, 0}, &way{isEstablished, 0})
	}
	must(t, ForgetFlows(m, gone.row))
	if n := entries(t, m.Flows); n != 4 {
		t.Errorf("%d entries left, want 4", n)
	}
	for _, c := range []conn{later, other} {
		forward, back := c.keys()
		lookup[bpf.WeirFlow](t, m.Flows, forward)
		lookup[bpf.WeirFlow](t, m.Flows, back)
	}
}
