// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"encoding/hex"

	"github.com/weir-lb/weir/registrar/wire"
)

// fields is the members of a message after its header, in the order of its figure in RFC 5352 2.2.
func fields(m any) object {
	switch m := m.(type) {
	case *wire.Registration:
		return append(pool(m.Pool), field{"pool_element", element(m.Element)})
	case *wire.Deregistration:
		return poolAndPE(m.Pool, m.PE)
	case *wire.RegistrationResponse:
		o := append(object{{"r_flag", m.Reject}}, poolAndPE(m.Pool, m.PE)...)
		return withCauses(o, m.Causes)
	case *wire.DeregistrationResponse:
		return withCauses(poolAndPE(m.Pool, m.PE), m.Causes)
	case *wire.HandleResolution:
		return resolution(m)
	case *wire.HandleResolutionResponse:
		return resolutionResponse(m)
	case *wire.EndpointKeepAlive:
		return keepAlive(m)
	case *wire.EndpointKeepAliveAck:
		return poolAndPE(m.Pool, m.PE)
	case *wire.EndpointUnreachable:
		return poolAndPE(m.Pool, m.PE)
	case *wire.ServerAnnounce:
		return announce(m)
	case *wire.ErrorMessage:
		return withCauses(nil, m.Causes)
	case *wire.Cookie:
		return object{{"cookie", hex.EncodeToString(m.Data)}}
	case *wire.CookieEcho:
		return object{{"cookie", hex.EncodeToString(m.Data)}}
	case *wire.BusinessCard:
		return append(pool(m.Pool), field{"pool_elements", elements(m.Elements)})
	case wire.ENRPMessage:
		return enrpFields(m)
	}
	return nil // the parsers give nothing else
}

func poolAndPE(h wire.PoolHandle, pe wire.PEID) object {
	return append(pool(h), field{"pe_identifier", pe.String()})
}

func withCauses(o object, c []wire.ErrorCause) object {
	if len(c) == 0 {
		return o
	}
	return append(o, field{"operation_error", causes(c)})
}

func resolution(m *wire.HandleResolution) object {
	o := append(object{{"s_bit", m.Subscribe}}, pool(m.Pool)...)
	if m.Items != nil {
		o = append(o, field{"items", *m.Items}) // rsplib's own parameter, without a name in the RFCs
	}
	return o
}

func resolutionResponse(m *wire.HandleResolutionResponse) object {
	o := append(object{{"a_bit", m.Accepted}}, pool(m.Pool)...)
	if m.Policy != nil {
		o = append(o, field{"overall_pe_selection_policy", policy(*m.Policy)})
	}
	if len(m.Elements) > 0 {
		o = append(o, field{"pool_elements", elements(m.Elements)})
	}
	return withCauses(o, m.Causes)
}

func keepAlive(m *wire.EndpointKeepAlive) object {
	o := append(object{{"h_bit", m.Home}, {"server_identifier", m.Server.String()}}, pool(m.Pool)...)
	if m.PE != nil {
		o = append(o, field{"pe_identifier", m.PE.String()})
	}
	return o
}

func announce(m *wire.ServerAnnounce) object {
	list := make([]object, 0, len(m.Transports))
	for _, t := range m.Transports {
		list = append(list, transport(t))
	}
	return object{{"server_identifier", m.Server.String()}, {"transport_parameters", list}}
}
