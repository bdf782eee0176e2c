// SPDX-License-Identifier: Apache-2.0

package enrp

import "github.com/weir-lb/weir/registrar/wire"

// RejectPlain is what the secured registrar self answers to the first message of a peer that speaks without TLS, an
// ENRP_ERROR with the cause Rejected Due to Security Considerations (RFC 5353 6.3, RFC 5354 3.12.10). It is nil if the bytes
// are no message, or one that is not answered.
func RejectPlain(self wire.ServerID, first []byte) (reply []byte) {
	m, _ := wire.ParseENRP(first) // with a message, the error is about parameters that were skipped
	if m == nil || m.Type() == wire.TypeENRPError {
		return nil
	}
	err := &wire.Error{Cause: wire.CauseSecurity}
	reply, _ = wire.AppendENRP(nil, &wire.ENRPErrorMessage{ // a fixed length: it always encodes
		Servers: wire.Servers{Sender: self, Receiver: m.Between().Sender}, Causes: err.ErrorCauses(),
	})
	return reply
}
