// SPDX-License-Identifier: Apache-2.0

package wire

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// paramSet is a set of known parameter types: bit n is type n.
type paramSet uint32

const (
	inAddrs      paramSet = 1<<paramIPv4 | 1<<paramIPv6
	inTransports paramSet = 1<<paramDCCP | 1<<paramSCTP | 1<<paramTCP | 1<<paramUDP | 1<<paramUDPLite | 1<<paramOpaque
)

// inServer is how a registrar can be reached.
const inServer paramSet = 1<<paramSCTP | 1<<paramTCP

// rule says what a container must hold and may hold once each, and what it may hold any number of times.
type rule struct{ required, optional, repeated paramSet }

// contents is what a container's parameters said.
type contents struct {
	seen       paramSet
	pool       PoolHandle
	pe         PEID
	policy     Policy
	elements   []PoolElement
	transports []Transport
	addrs      []netip.Addr
	causes     []ErrorCause
	cookie     []byte
	checksum   *uint16
	servers    []ServerInfo
	starts     []entryStart // of pool entries, where pool handles may be repeated
	items      *uint32      // of rsplib's parameter, the first that is there
}

// maxReports bounds how many skipped parameters of a message are reported, so that a message made of nothing else costs
// its sender more than us.
const maxReports = 16

// skips are the parameters that were skipped but ask for a report.
type skips []*Error

// readParams reads the parameters of container from its byte from on. The RFCs' figures have an order; any order is
// accepted, since a parameter's type alone says what it is. Only the two transports of a pool element need theirs, and
// contents keeps it.
func readParams(container param, from int, r rule, sk *skips) (contents, *Error) {
	var c contents
	if len(container.tlv) < from {
		return c, container.invalid("too short for its fixed fields")
	}
	for s := inside(container, from); len(s.b) > 0; {
		p, err := s.next()
		if err != nil {
			return c, err
		}
		if err := c.add(p, r, sk); err != nil {
			return c, err
		}
	}
	if missing := r.required &^ c.seen; missing != 0 {
		return c, container.invalid("no " + paramType(bits.TrailingZeros32(uint32(missing))).String())
	}
	return c, nil
}

func (c *contents) add(p param, r rule, sk *skips) *Error {
	if !p.typ.known() {
		return c.unrecognized(p, sk)
	}
	bit := paramSet(1) << p.typ
	switch {
	case (r.required|r.optional|r.repeated)&bit == 0:
		return p.invalid("misplaced " + p.typ.String())
	case c.seen&^r.repeated&bit != 0:
		return p.invalid("second " + p.typ.String())
	}
	c.seen |= bit
	if err := c.decode(p, sk); err != nil {
		return err
	}
	if r.repeated&(1<<paramPoolHandle) != 0 {
		return c.enter(p)
	}
	return nil
}

// unrecognized does what the type's two highest bits say (RFC 5354 section 3).
func (c *contents) unrecognized(p param, sk *skips) *Error {
	if p.typ == paramItems && len(p.value()) == 4 && c.items == nil {
		n := binary.BigEndian.Uint32(p.value())
		c.items = &n
		return nil
	}
	discard, report := p.typ&0x8000 == 0, p.typ&0x4000 != 0
	if !discard && (!report || len(*sk) == maxReports) {
		return nil
	}
	e := &Error{
		Cause:  CauseUnrecognizedParameter,
		Offset: p.offset,
		Param:  bytes.Clone(p.tlv),
		Report: report,
		Reason: p.typ.String(),
	}
	if discard {
		return e
	}
	*sk = append(*sk, e)
	return nil
}

func (c *contents) decode(p param, sk *skips) (err *Error) {
	switch p.typ {
	case paramIPv4, paramIPv6:
		c.addrs, err = appendAddr(c.addrs, p)
	case paramPolicy:
		c.policy, err = decodePolicy(p)
	case paramPoolHandle:
		c.pool, err = decodePoolHandle(p)
	case paramPEID:
		c.pe, err = decodePEID(p)
	case paramPoolElement:
		c.elements, err = appendElement(c.elements, p, sk)
	case paramOperationError:
		c.causes, err = decodeCauses(p)
	case paramCookie:
		c.cookie = copyOf(p.value())
	case paramPEChecksum:
		c.checksum, err = decodeChecksum(p)
	case paramServer:
		c.servers, err = appendServer(c.servers, p, sk)
	default: // a transport: no rule allows any other type
		c.transports, err = appendTransport(c.transports, p, sk)
	}
	return err
}

// join makes one error of a message's fatal error, nil if there is none, and of the parameters to report. A fatal error
// that wants no report gives way to one that does; the message is discarded all the same.
func (sk skips) join(fatal *Error) *Error {
	if len(sk) > 0 && (fatal == nil || !fatal.Report) {
		fatal, sk = sk[0], sk[1:]
	}
	for _, e := range sk {
		fatal.skipped = append(fatal.skipped, ErrorCause{Code: e.Cause, Info: e.Param})
	}
	return fatal
}
