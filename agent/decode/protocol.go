// SPDX-License-Identifier: Apache-2.0

package decode

import "github.com/weir-lb/weir/registrar/wire"

// protocol is ASAP or ENRP.
type protocol struct {
	name     string
	typeName func(messageType uint8) string
	// parse gives a wire.Message or a wire.ENRPMessage; nil only with an error.
	parse func([]byte) (any, error)
}

func asap() protocol {
	return protocol{
		name:     "ASAP",
		typeName: func(t uint8) string { return wire.MessageType(t).String() },
		parse:    func(b []byte) (any, error) { return wire.ParseASAP(b) },
	}
}

func enrp() protocol {
	return protocol{
		name:     "ENRP",
		typeName: func(t uint8) string { return wire.ENRPType(t).String() },
		parse:    func(b []byte) (any, error) { return wire.ParseENRP(b) },
	}
}

// byPPID is the protocol of SCTP user data (RFC 5352 8.3, RFC 5353 7.3).
func byPPID(ppid uint32) (protocol, bool) {
	switch ppid {
	case 11:
		return asap(), true
	case 12:
		return enrp(), true
	}
	return protocol{}, false
}

// byPort is the protocol by either port (RFC 5352 8.2, RFC 5353 7.2). The secured ports are for SCTP and TCP only.
func byPort(o origin) (protocol, bool) {
	for _, port := range [...]uint16{o.dst.Port(), o.src.Port()} {
		switch {
		case port == 3863, port == 3864 && o.transport != "udp":
			return asap(), true
		case port == 9901, port == 9902 && o.transport != "udp":
			return enrp(), true
		}
	}
	return protocol{}, false
}
