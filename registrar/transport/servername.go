// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// ASCIIName returns the ASCII form of a host name (RFC 5352 9.2: ToASCII, with
// UseSTD3ASCIIRules, of a stored string). What is ASCII, names and addresses, is
// left as it is.
//
// Four characters, among them the German ß, are replaced or dropped by RFC 3490,
// which RFC 5352 names, and kept by RFC 5891, after which names are given out
// now. The two names may be two parties': which one is meant is for the caller
// to say, by its ASCII form.
func ASCIIName(name string) (string, error) {
	switch {
	case isASCII(name):
		return name, nil
	case !utf8.ValidString(name):
		return "", fmt.Errorf("%q has no ASCII form: it is not in UTF-8", name)
	}
	old, err := converter(true).ToASCII(name)
	if err != nil {
		return "", fmt.Errorf("%q has no ASCII form: %w", name, err)
	}
	now, err := converter(false).ToASCII(name)
	if err != nil {
		return "", fmt.Errorf("%q has no ASCII form: %w", name, err)
	}
	if old != now {
		return "", fmt.Errorf("%q is %s by RFC 3490 and %s by RFC 5891: give the one that is meant", name, old, now)
	}
	return now, nil
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf })
}

// converter maps as RFC 3490 does, if it is old, or as RFC 5891 and RFC 5895 do.
// Unassigned code points are a fault of either: a "stored string" has none.
func converter(old bool) *idna.Profile {
	return idna.New(idna.MapForLookup(), idna.BidiRule(), idna.VerifyDNSLength(true), idna.StrictDomainName(true), idna.Transitional(old))
}
