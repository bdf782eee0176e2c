// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"net/netip"
	"testing"

	"github.com/weir-lb/weir/registrar/wire"
)

func TestFields(t *testing.T) {
	v6 := netip.MustParseAddr("2001:db8::1")
	element := wire.PoolElement{
		ID: 1, Home: 2, Life: wire.LifeInfinite,
		User:   wire.Transport{Protocol: wire.ProtocolTCP, Port: 80, Addrs: []netip.Addr{v6}},
		Policy: wire.Policy{Type: wire.PolicyRandom},
		ASAP: &wire.Transport{
			Protocol: wire.ProtocolSCTP, Port: 3863, Addrs: []netip.Addr{v6, netip.MustParseAddr("192.0.2.1")},
		},
	}
	const elementJSON = `{"pe_identifier":"0x00000001","home_enrp_server_identifier":"0x00000002","registration_life":-1,` +
		`"user_transport":{"type":"tcp","port":80,"addresses":["2001:db8::1"]},"member_selection_policy":{"type":"random"},` +
		`"asap_transport":{"type":"sctp","port":3863,"transport_use":"data only","addresses":["2001:db8::1","192.0.2.1"]}}`
	causes := []wire.ErrorCause{{Code: wire.CauseSecurity}, {Code: 0xf008, Info: []byte{1, 0xff}}}
	const causesJSON = `[{"cause_code":10,"cause":"rejected due to security considerations"},` +
		`{"cause_code":61448,"cause":"0xf008","cause_specific_information":"01ff"}]`
	between := wire.Servers{Sender: 7, Receiver: 8}
	const betweenJSON = `"sending_servers_id":"0x00000007","receiving_servers_id":"0x00000008"`
	tests := []struct {
		m    any // a wire.Message or a wire.ENRPMessage
		want string
	}{
		{&wire.Registration{Pool: "a", Element: element}, `{"pool_handle":"a","pool_element":` + elementJSON + `}`},
		{&wire.Deregistration{Pool: "a", PE: 3}, `{"pool_handle":"a","pe_identifier":"0x00000003"}`},
		{&wire.RegistrationResponse{Reject: true, Pool: "a", PE: 3, Causes: causes},
			`{"r_flag":true,"pool_handle":"a","pe_identifier":"0x00000003","operation_error":` + causesJSON + `}`},
		{&wire.DeregistrationResponse{Pool: "a", PE: 3, Causes: causes},
			`{"pool_handle":"a","pe_identifier":"0x00000003","operation_error":` + causesJSON + `}`},
		{&wire.HandleResolution{Pool: "a"}, `{"s_bit":false,"pool_handle":"a"}`},
		{&wire.HandleResolutionResponse{Accepted: true, Pool: "a", Elements: []wire.PoolElement{element, element}},
			`{"a_bit":true,"pool_handle":"a","pool_elements":[` + elementJSON + `,` + elementJSON + `]}`},
		{&wire.EndpointKeepAlive{Home: true, Server: 4, Pool: "a"},
			`{"h_bit":true,"server_identifier":"0x00000004","pool_handle":"a"}`},
		{&wire.EndpointKeepAliveAck{Pool: "a", PE: 3}, `{"pool_handle":"a","pe_identifier":"0x00000003"}`},
		{&wire.EndpointUnreachable{Pool: "a", PE: 3}, `{"pool_handle":"a","pe_identifier":"0x00000003"}`},
		{&wire.ServerAnnounce{Server: 4, Transports: []wire.Transport{element.User}},
			`{"server_identifier":"0x00000004","transport_parameters":[{"type":"tcp","port":80,"addresses":["2001:db8::1"]}]}`},
		{&wire.ErrorMessage{Causes: causes}, `{"operation_error":` + causesJSON + `}`},
		{&wire.Cookie{Data: []byte{1, 0xff}}, `{"cookie":"01ff"}`},
		{&wire.CookieEcho{Data: []byte{2}}, `{"cookie":"02"}`},
		{&wire.BusinessCard{Pool: "a", Elements: []wire.PoolElement{element}}, `{"pool_handle":"a","pool_elements":[` + elementJSON + `]}`},
		{&wire.ListRequest{Servers: between}, `{` + betweenJSON + `}`},
		{&wire.ListResponse{Servers: between, Reject: true}, `{"r_flag":true,` + betweenJSON + `,"server_information":[]}`},
		{&wire.ListResponse{Servers: between, Peers: []wire.ServerInfo{{ID: 9, Transport: element.User}}},
			`{"r_flag":false,` + betweenJSON + `,"server_information":[{"server_id":"0x00000009","server_transport":` +
				`{"type":"tcp","port":80,"addresses":["2001:db8::1"]}}]}`},
		{&wire.HandleTableResponse{Servers: between, More: true, Entries: []wire.PoolEntry{{Pool: "a", Elements: []wire.PoolElement{element}}}},
			`{"m_flag":true,"r_flag":false,` + betweenJSON + `,"pool_entries":[{"pool_handle":"a","pool_elements":[` + elementJSON + `]}]}`},
		{&wire.InitTakeoverAck{Servers: between, Target: 9}, `{` + betweenJSON + `,"targeting_servers_id":"0x00000009"}`},
		{&wire.TakeoverServer{Servers: between, Target: 9}, `{` + betweenJSON + `,"targeting_servers_id":"0x00000009"}`},
		{&wire.ENRPErrorMessage{Servers: between, Causes: causes}, `{` + betweenJSON + `,"operation_error":` + causesJSON + `}`},
	}
	for _, tt := range tests {
		expectJSON(t, fields(tt.m), tt.want)
	}
}

func expectJSON(t *testing.T, o object, want string) {
	t.Helper()
	if got, err := appendJSON(nil, o); err != nil || string(got) != want {
		t.Errorf("\n got %s (%v)\nwant %s", got, err, want)
	}
}

func TestPoolHandles(t *testing.T) {
	for _, tt := range []struct{ handle, want string }{
		{"web <1> & \"2\"", `{"pool_handle":"web <1> & \"2\""}`},
		{"Größe", `{"pool_handle":"Größe"}`},
		{"a\x00b", `{"pool_handle":"a\u0000b","pool_handle_hex":"610062"}`},
		{"\xff\xfe", `{"pool_handle":"\ufffd\ufffd","pool_handle_hex":"fffe"}`},
		{"a\nb", `{"pool_handle":"a\nb","pool_handle_hex":"610a62"}`},
	} {
		expectJSON(t, pool(wire.PoolHandle(tt.handle)), tt.want)
	}
}

func TestTransports(t *testing.T) {
	addrs := []netip.Addr{netip.MustParseAddr("192.0.2.1")}
	for _, tt := range []struct {
		in   wire.Transport
		want string
	}{
		{wire.Transport{Protocol: wire.ProtocolDCCP, Port: 1, ServiceCode: 0x2a, Addrs: addrs},
			`{"type":"dccp","port":1,"service_code":"0x0000002a","addresses":["192.0.2.1"]}`},
		{wire.Transport{Protocol: wire.ProtocolUDP, Port: 2, Addrs: addrs}, `{"type":"udp","port":2,"addresses":["192.0.2.1"]}`},
		{wire.Transport{Protocol: wire.ProtocolUDPLite, Port: 3, Addrs: addrs}, `{"type":"udp-lite","port":3,"addresses":["192.0.2.1"]}`},
		{wire.Transport{Protocol: wire.ProtocolOpaque, Opaque: []byte{0xab}}, `{"type":"opaque","opaque_transport_data":"ab"}`},
	} {
		expectJSON(t, transport(tt.in), tt.want)
	}
}

func TestPolicies(t *testing.T) {
	for _, tt := range []struct {
		kind wire.PolicyType
		data string
		want string
	}{
		{wire.PolicyRoundRobin, "", `{"type":"round-robin"}`},
		{wire.PolicyWeightedRoundRobin, "\x00\x00\x00\x0a", `{"type":"weighted-round-robin","weight":10}`},
		{wire.PolicyWeightedRandom, "\x00\x00\x00\x0b", `{"type":"weighted-random","weight":11}`},
		{wire.PolicyPriority, "\x00\x00\x01\x00", `{"type":"priority","priority":256}`},
		{wire.PolicyLeastUsed, "\xff\xff\xff\xff", `{"type":"least-used","load":4294967295}`},
		{wire.PolicyRandomizedLeastUsed, "\x00\x00\x00\x01", `{"type":"randomized-least-used","load":1}`},
		{wire.PolicyLeastUsedWithDegradation, "\x00\x00\x00\x01\x00\x00\x00\x02",
			`{"type":"least-used-with-degradation","load":1,"load_degradation":2}`},
		{wire.PolicyPriorityLeastUsed, "\x00\x00\x00\x01\x00\x00\x00\x02\x03",
			`{"type":"priority-least-used","load":1,"load_degradation":2,"policy_specific_data":"03"}`},
		{0xb0002001, "\x00\x00\x00\x01", `{"type":"0xb0002001","policy_specific_data":"00000001"}`},
	} {
		expectJSON(t, policy(wire.Policy{Type: tt.kind, Data: []byte(tt.data)}), tt.want)
	}
}
