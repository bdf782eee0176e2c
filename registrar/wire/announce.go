// SPDX-License-Identifier: Apache-2.0

package wire

// ServerAnnounce is ASAP_SERVER_ANNOUNCE (RFC 5352 2.2.10): a registrar says where it is, usually by multicast.
type ServerAnnounce struct {
	Server     ServerID
	Transports []Transport // SCTP and TCP only; may be empty: rsplib's are, and mean the datagram's source
}

// Type is TypeServerAnnounce.
func (*ServerAnnounce) Type() MessageType { return TypeServerAnnounce }
