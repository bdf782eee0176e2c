// SPDX-License-Identifier: Apache-2.0

package wire

import "fmt"

// CauseCode says what went wrong (RFC 5354 3.12). Unassigned codes are valid on the wire: rsplib uses 0x0010, 0x100b,
// 0xf000 and 0xf008 privately.
type CauseCode uint16

// The causes of RFC 5354 table 2, and the cause-specific information of each.
const (
	CauseUnspecified              CauseCode = 0x0 // none
	CauseUnrecognizedParameter    CauseCode = 0x1 // the whole parameter
	CauseUnrecognizedMessage      CauseCode = 0x2 // the whole message
	CauseInvalidValues            CauseCode = 0x3 // the offending parameter
	CauseNonUniquePEID            CauseCode = 0x4 // none
	CauseInconsistentPolicy       CauseCode = 0x5 // the pool's policy parameter
	CauseLackOfResources          CauseCode = 0x6 // none
	CauseInconsistentTransport    CauseCode = 0x7 // a transport parameter of the pool's transport type
	CauseInconsistentTransportUse CauseCode = 0x8 // none
	CauseUnknownPoolHandle        CauseCode = 0x9 // none
	CauseSecurity                 CauseCode = 0xa // not specified
)

// String gives the RFC's name in lower case, or the number as 0x and four digits.
func (c CauseCode) String() string {
	switch c {
	case CauseUnspecified:
		return "unspecified error"
	case CauseUnrecognizedParameter:
		return "unrecognized parameter"
	case CauseUnrecognizedMessage:
		return "unrecognized message"
	case CauseInvalidValues:
		return "invalid values"
	case CauseNonUniquePEID:
		return "non-unique PE identifier"
	case CauseInconsistentPolicy:
		return "inconsistent pooling policy"
	case CauseLackOfResources:
		return "lack of resources"
	case CauseInconsistentTransport:
		return "inconsistent transport type"
	case CauseInconsistentTransportUse:
		return "inconsistent data/control configuration"
	case CauseUnknownPoolHandle:
		return "unknown pool handle"
	case CauseSecurity:
		return "rejected due to security considerations"
	}
	return fmt.Sprintf("0x%04x", uint16(c))
}

// ErrorCause is one cause of an Operation Error parameter (RFC 5354 3.12).
type ErrorCause struct {
	Code CauseCode
	Info []byte // cause-specific information, without padding
}

// decodeCauses decodes an Operation Error parameter (RFC 5354 3.12).
func decodeCauses(p param) ([]ErrorCause, *Error) {
	var causes []ErrorCause
	for s := inside(p, paramHeaderLen); len(s.b) > 0; {
		c, err := s.next()
		if err != nil {
			return nil, err
		}
		causes = append(causes, ErrorCause{Code: CauseCode(c.typ), Info: copyOf(c.value())})
	}
	if len(causes) == 0 {
		return nil, p.invalid("operation error without a cause")
	}
	return causes, nil
}

// encodeCauses writes an Operation Error parameter, or nothing if there is no cause.
func encodeCauses(w *writer, causes []ErrorCause) {
	if len(causes) == 0 {
		return
	}
	outer := w.open(uint16(paramOperationError))
	for _, c := range causes {
		mark := w.open(uint16(c.Code))
		w.bytes(c.Info)
		w.close(mark)
	}
	w.close(outer)
}
