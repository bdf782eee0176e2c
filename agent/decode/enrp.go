// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"fmt"

	"github.com/weir-lb/weir/registrar/wire"
)

// enrpFields is the members of an ENRP message after its header, in the order of its figure in RFC 5353 2.
func enrpFields(m wire.ENRPMessage) object {
	between := m.Between()
	o := object{
		{"sending_servers_id", between.Sender.String()},
		{"receiving_servers_id", between.Receiver.String()},
	}
	switch m := m.(type) {
	case *wire.Presence:
		return append(append(object{{"r_flag", m.ReplyRequired}}, o...), presence(m)...)
	case *wire.HandleTableRequest:
		return append(object{{"w_flag", m.OwnChildren}}, o...)
	case *wire.HandleTableResponse:
		o = append(object{{"m_flag", m.More}, {"r_flag", m.Reject}}, o...)
		return append(o, field{"pool_entries", poolEntries(m.Entries)})
	case *wire.HandleUpdate:
		o = append(o, field{"update_action", m.Action.String()})
		return append(append(o, pool(m.Pool)...), field{"pool_element", element(m.Element)})
	case *wire.ListResponse:
		o = append(object{{"r_flag", m.Reject}}, o...)
		return append(o, field{"server_information", servers(m.Peers)})
	case *wire.InitTakeover:
		return append(o, field{"targeting_servers_id", m.Target.String()})
	case *wire.InitTakeoverAck:
		return append(o, field{"targeting_servers_id", m.Target.String()})
	case *wire.TakeoverServer:
		return append(o, field{"targeting_servers_id", m.Target.String()})
	case *wire.ENRPErrorMessage:
		return withCauses(o, m.Causes)
	}
	return o // ENRP_LIST_REQUEST has nothing else
}

func presence(m *wire.Presence) (o object) {
	if m.Checksum != nil {
		o = append(o, field{"pe_checksum", fmt.Sprintf("0x%04x", *m.Checksum)})
	}
	if m.Info != nil {
		o = append(o, field{"server_information", server(*m.Info)})
	}
	return o
}

func server(s wire.ServerInfo) object {
	return object{{"server_id", s.ID.String()}, {"server_transport", transport(s.Transport)}}
}

func servers(list []wire.ServerInfo) []object {
	shown := make([]object, 0, len(list))
	for _, s := range list {
		shown = append(shown, server(s))
	}
	return shown
}

func elements(list []wire.PoolElement) []object {
	shown := make([]object, 0, len(list))
	for _, e := range list {
		shown = append(shown, element(e))
	}
	return shown
}

func poolEntries(list []wire.PoolEntry) []object {
	shown := make([]object, 0, len(list))
	for _, e := range list {
		shown = append(shown, append(pool(e.Pool), field{"pool_elements", elements(e.Elements)}))
	}
	return shown
}
