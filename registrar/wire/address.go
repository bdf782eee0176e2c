// SPDX-License-Identifier: Apache-2.0

package wire

import "net/netip"

// appendAddr decodes an IPv4 Address parameter (RFC 5354 3.1) or an IPv6 Address parameter (3.2).
func appendAddr(addrs []netip.Addr, p param) ([]netip.Addr, *Error) {
	a, ok := netip.AddrFromSlice(p.value())
	if !ok || a.Is4() != (p.typ == paramIPv4) {
		return nil, p.invalid("wrong length for an " + p.typ.String())
	}
	return append(addrs, a), nil
}

// encodeAddr writes a as IPv4 only if it is not IPv4-mapped, so that an address comes back as it went.
func encodeAddr(w *writer, a netip.Addr) {
	typ := paramIPv6
	if a.Is4() {
		typ = paramIPv4
	}
	mark := w.open(uint16(typ))
	w.bytes(a.AsSlice())
	w.close(mark)
}
