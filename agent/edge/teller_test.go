// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"bytes"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"

	"github.com/weir-lb/weir/maps"
	"github.com/weir-lb/weir/test/lab"
	"github.com/weir-lb/weir/test/packet"
	"github.com/weir-lb/weir/test/require"
)

func TestProbeSegment(t *testing.T) {
	want := packet.NewTCP("10.0.100.1:80", "10.0.1.2:40000", packet.ACK)
	want.Seq, want.Window = 0xfedcba98, 0
	got := probeSegment(maps.Flow{Client: addr("10.0.1.2:40000"), VIP: addr("10.0.100.1:80")}, 0xfedcba98)

	ethernet := want.Frame()[:14]
	frame := append(ethernet[:14:14], got...)
	if err := packet.Verify(frame); err != nil {
		t.Error(err)
	}
	if diff := packet.Diff(want.Frame(), frame); diff != "" {
		t.Error(diff)
	}
}

func TestProbeSegmentOfIPv6(t *testing.T) {
	ip := &layers.IPv6{Version: 6, HopLimit: 64, NextHeader: layers.IPProtocolTCP,
		SrcIP: net.ParseIP("2001:db8:100::1"), DstIP: net.ParseIP("2001:db8:1::ffff:2")}
	tcp := &layers.TCP{SrcPort: 80, DstPort: 40000, Seq: 0xfedcba98, ACK: true}
	must(t, tcp.SetNetworkLayerForChecksum(ip))
	want := gopacket.NewSerializeBuffer()
	must(t, gopacket.SerializeLayers(want, gopacket.SerializeOptions{FixLengths: true, ComputeChecksums: true}, ip, tcp))
	got := probeSegment(maps.Flow{Client: addr("[2001:db8:1::ffff:2]:40000"), VIP: addr("[2001:db8:100::1]:80")}, 0xfedcba98)
	if !bytes.Equal(got, want.Bytes()) {
		t.Errorf("got\n%x\nwant\n%x", got, want.Bytes())
	}
}

// A client that waits for data answers what the teller sends, at once: its kernel is asked. What the
// program makes of the answer is shown in test/bpf and test/demo.
func TestIdleClientAnswers(t *testing.T) {
	for name, prefix := range map[string]string{"IPv4": "10.0.9.%d/24", "IPv6": "2001:db8:9::%d/64"} {
		t.Run(name, func(t *testing.T) {
			require.Need(t, require.Root, require.NetNS)
			at := func(n int) netip.Prefix { return netip.MustParsePrefix(fmt.Sprintf(prefix, n)) }
			gateway, client := pair(t, at(1), at(2))
			var flow maps.Flow
			var answered func() int
			must(t, gateway.Do(func() error {
				l, err := net.Listen("tcp", netip.AddrPortFrom(at(1).Addr(), 80).String())
				if err != nil {
					return err
				}
				t.Cleanup(func() { l.Close() })
				return client.Do(func() error {
					flow, answered, err = idle(t, l.Addr().String())
					return err
				})
			}))
			before := answered()
			must(t, gateway.Do(func() error {
				teller, err := newTeller()
				if err != nil {
					return err
				}
				defer teller.Close()
				sent, err := teller.ask([]maps.Flow{flow})
				if sent != 1 {
					t.Errorf("sent to %d clients", sent)
				}
				return err
			}))
			for deadline := time.Now().Add(5 * time.Second); answered() == before; time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("the client did not answer")
				}
			}
			if n := answered() - before; n != 1 {
				t.Errorf("the client sent %d segments, want 1", n)
			}
		})
	}
}

// pair is two nodes that are linked.
func pair(t *testing.T, here, there netip.Prefix) (gateway, client *lab.Node) {
	t.Helper()
	l, err := lab.New("teller", slog.New(slog.DiscardHandler))
	must(t, err)
	t.Cleanup(func() { must(t, l.Close()) })
	gateway, err = l.Node("gateway")
	must(t, err)
	client, err = l.Node("client")
	must(t, err)
	must(t, l.Link(lab.End{Node: gateway, Name: "cl", Addr: here}, lab.End{Node: client, Name: "gw", Addr: there}))
	return gateway, client
}

// idle is a connection on which nothing is sent, and how many segments this node has sent by now.
func idle(t *testing.T, to string) (maps.Flow, func() int, error) {
	snmp, err := os.Open("/proc/thread-self/net/snmp") // of this node, whoever reads it later
	if err != nil {
		return maps.Flow{}, nil, err
	}
	t.Cleanup(func() { snmp.Close() })
	c, err := net.DialTimeout("tcp", to, 5*time.Second)
	if err != nil {
		return maps.Flow{}, nil, err
	}
	t.Cleanup(func() { c.Close() })
	return maps.Flow{Client: addr(c.LocalAddr().String()), VIP: addr(to)}, func() int {
		text := make([]byte, 16<<10)
		n, _ := snmp.ReadAt(text, 0)
		// Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab InSegs OutSegs
		found := regexp.MustCompile(`(?m)^Tcp:(?: -?\d+){10} (\d+)`).FindSubmatch(text[:n])
		if found == nil {
			t.Fatalf("no count of TCP segments in\n%s", text[:n])
		}
		sent, err := strconv.Atoi(string(found[1]))
		must(t, err)
		return sent
	}, nil
}
