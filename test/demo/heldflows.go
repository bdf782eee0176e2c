// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"

	"github.com/cilium/ebpf"

	"github.com/weir-lb/weir/bpf"
	"github.com/weir-lb/weir/maps"
	"github.com/weir-lb/weir/test/traffic"
)

// heldFlows looks the connections up in the gateway's flow table, and returns the element row of each. That a
// connection is answered by its own server does not prove that its flow was kept: the selection alone
// would mostly lead there.
func heldFlows(pinDir string, held []traffic.Held) (_ map[int]uint16, err error) {
	var m bpf.WeirMaps
	for name, at := range map[string]**ebpf.Map{"flows": &m.Flows, "flow_clients": &m.FlowClients, "settings": &m.Settings} {
		if *at, err = ebpf.LoadPinnedMap(filepath.Join(pinDir, "v1", name), nil); err != nil {
			return nil, fmt.Errorf("open the pinned %s: %w", name, err)
		}
		defer func() { err = errors.Join(err, (*at).Close()) }()
	}
	flows, err := maps.OpenFlows(&m, maps.Clock{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, flows.Close()) }()
	rows := map[int]uint16{}
	for _, h := range held {
		client, err := netip.ParseAddrPort(h.Local)
		if err != nil {
			return nil, err
		}
		at := flows.Elements(client, maps.TCP)
		if len(at) != 1 {
			return nil, fmt.Errorf("%s has %d flows in the table, want 1", client, len(at))
		}
		rows[h.ID] = at[0]
	}
	return rows, nil
}
