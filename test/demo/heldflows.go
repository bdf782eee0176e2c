// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"

	"github.com/cilium/ebpf"

	"github.com/weir-lb/weir/bpf"
	"github.com/weir-lb/weir/test/traffic"
)

// flowOwner is which use of which element row a flow belongs to.
type flowOwner struct{ element, generation uint32 }

// heldFlows looks the connections up in the gateway's flow table. That a connection is answered by
// its own server does not prove that its flow was kept: the selection alone would mostly lead there.
func heldFlows(pinDir string, held []traffic.Held) (_ map[int]flowOwner, err error) {
	m, err := ebpf.LoadPinnedMap(filepath.Join(pinDir, "v1", "flows"), nil)
	if err != nil {
		return nil, fmt.Errorf("open the flow table: %w", err)
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	owners := map[int]flowOwner{}
	for _, h := range held {
		client, err := netip.ParseAddrPort(h.Local)
		if err != nil {
			return nil, err
		}
		var f bpf.WeirFlow
		if err := m.Lookup(flowKey(client), &f); err != nil {
			return nil, fmt.Errorf("look up the flow of %s: %w", client, err)
		}
		owners[h.ID] = flowOwner{f.Element, f.Generation}
	}
	return owners, nil
}

// flowKey is the key of a client's flow to the target, in the network's byte order.
func flowKey(client netip.AddrPort) bpf.WeirFlowKey {
	addr := func(a netip.Addr) uint32 {
		b := a.As4()
		return binary.NativeEndian.Uint32(b[:])
	}
	port := func(p uint16) uint16 {
		return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, p))
	}
	const tcp = 6
	return bpf.WeirFlowKey{Src: addr(client.Addr()), Dst: addr(target.Addr()), Sport: port(client.Port()), Dport: port(target.Port()),
		Protocol: tcp, Direction: uint8(bpf.WeirFlowDirectionFLOW_FORWARD)}
}
