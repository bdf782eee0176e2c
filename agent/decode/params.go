// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/weir-lb/weir/registrar/wire"
)

// pool shows a handle as text, and as its bytes too if it is not only printable UTF-8 (RFC 5354 3.9 allows any bytes).
func pool(h wire.PoolHandle) object {
	text := string(h)
	o := object{{"pool_handle", text}}
	if !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		o = append(o, field{"pool_handle_hex", hex.EncodeToString([]byte(text))})
	}
	return o
}

// element shows a Pool Element parameter (RFC 5354 3.10).
func element(e wire.PoolElement) object {
	o := object{
		{"pe_identifier", e.ID.String()},
		{"home_enrp_server_identifier", e.Home.String()},
		{"registration_life", e.Life},
		{"user_transport", transport(e.User)},
		{"member_selection_policy", policy(e.Policy)},
	}
	if e.ASAP != nil {
		o = append(o, field{"asap_transport", transport(*e.ASAP)})
	}
	return o
}

// transport shows a transport parameter (RFC 5354 3.3 to 3.7, 3.16).
func transport(t wire.Transport) object {
	o := object{{"type", t.Protocol.String()}}
	switch t.Protocol {
	case wire.ProtocolOpaque:
		return append(o, field{"opaque_transport_data", hex.EncodeToString(t.Opaque)})
	case wire.ProtocolSCTP:
		o = append(o, field{"port", t.Port}, field{"transport_use", t.Use.String()})
	case wire.ProtocolDCCP:
		o = append(o, field{"port", t.Port}, field{"service_code", fmt.Sprintf("0x%08x", t.ServiceCode)})
	default:
		o = append(o, field{"port", t.Port})
	}
	addrs := make([]string, 0, len(t.Addrs))
	for _, a := range t.Addrs {
		addrs = append(addrs, a.String())
	}
	return append(o, field{"addresses", addrs})
}

// policy shows a policy by RFC 5356, and the data that it does not name as bytes.
func policy(p wire.Policy) object {
	o, data := object{{"type", p.Type.String()}}, p.Data
	for _, name := range policyFields(p.Type) {
		if len(data) < 4 {
			break
		}
		o, data = append(o, field{name, binary.BigEndian.Uint32(data)}), data[4:]
	}
	if len(data) > 0 {
		o = append(o, field{"policy_specific_data", hex.EncodeToString(data)})
	}
	return o
}

// policyFields is the 32-bit numbers of a policy's data, in order.
func policyFields(t wire.PolicyType) []string {
	switch t {
	case wire.PolicyWeightedRoundRobin, wire.PolicyWeightedRandom:
		return []string{"weight"}
	case wire.PolicyPriority:
		return []string{"priority"}
	case wire.PolicyLeastUsed, wire.PolicyRandomizedLeastUsed:
		return []string{"load"}
	case wire.PolicyLeastUsedWithDegradation, wire.PolicyPriorityLeastUsed:
		return []string{"load", "load_degradation"}
	}
	return nil
}

// causes shows the causes of an Operation Error parameter (RFC 5354 3.12).
func causes(list []wire.ErrorCause) []object {
	shown := make([]object, 0, len(list))
	for _, c := range list {
		o := object{{"cause_code", uint16(c.Code)}, {"cause", c.Code.String()}}
		if len(c.Info) > 0 {
			o = append(o, field{"cause_specific_information", hex.EncodeToString(c.Info)})
		}
		shown = append(shown, o)
	}
	return shown
}
