// SPDX-License-Identifier: Apache-2.0

package wire

// Cookie is ASAP_COOKIE (RFC 5352 2.2.11): a pool element gives a pool user what its successor is to get.
type Cookie struct {
	Data []byte // any bytes, 0 to 65,527 of them (RFC 5354 3.13)
}

// Type is TypeCookie.
func (*Cookie) Type() MessageType { return TypeCookie }

// CookieEcho is ASAP_COOKIE_ECHO (RFC 5352 2.2.12): a pool user gives the latest cookie of a failed pool element to the
// next one.
type CookieEcho struct {
	Data []byte // as it came in the Cookie
}

// Type is TypeCookieEcho.
func (*CookieEcho) Type() MessageType { return TypeCookieEcho }

func parseCookie(msg param, sk *skips) (Message, *Error) {
	c, err := readParams(msg, HeaderLen, rule{required: 1 << paramCookie}, sk)
	if err != nil {
		return nil, err
	}
	return &Cookie{Data: c.cookie}, nil
}

func (m *Cookie) encode(w *writer) (flags uint8) {
	encodeCookie(w, m.Data)
	return 0
}

func parseCookieEcho(msg param, sk *skips) (Message, *Error) {
	c, err := readParams(msg, HeaderLen, rule{required: 1 << paramCookie}, sk)
	if err != nil {
		return nil, err
	}
	return &CookieEcho{Data: c.cookie}, nil
}

func (m *CookieEcho) encode(w *writer) (flags uint8) {
	encodeCookie(w, m.Data)
	return 0
}

// encodeCookie writes a Cookie parameter (RFC 5354 3.13).
func encodeCookie(w *writer, data []byte) {
	mark := w.open(uint16(paramCookie))
	w.bytes(data)
	w.close(mark)
}
