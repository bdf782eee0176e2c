// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"strings"
	"testing"
)

// The wanted forms are those of RFC 3492 7.1, of IDNA's test suite, and of names
// that are in use.
func TestASCIIName(t *testing.T) {
	for _, tc := range []struct{ name, in, want, err string }{
		{"ASCII is left alone", "Registrar_1.Example.", "Registrar_1.Example.", ""},
		{"an address", "2001:db8::1", "2001:db8::1", ""},
		{"an ASCII form", "xn--bcher-kva.example", "xn--bcher-kva.example", ""},
		{"letters beyond ASCII", "bücher.example", "xn--bcher-kva.example", ""},
		{"in capitals", "BÜCHER.Example", "xn--bcher-kva.example", ""},
		{"in two code points", "bu\u0308cher.example", "xn--bcher-kva.example", ""},
		{"another script", "他们为什么不说中文.example", "xn--ihqwcrb4cv8a8dqg056pqjye.example", ""},
		{"RFC 3490 3.1: other full stops", "bücher。a．example", "xn--bcher-kva.a.example", ""},
		{"two names", "straße.example", "", `"straße.example" is strasse.example by RFC 3490 and xn--strae-oqa.example by RFC 5891: give the one that is meant`},
		{"UseSTD3ASCIIRules: an underscore", "bücher_1.example", "", `"bücher_1.example" has no ASCII form: `},
		{"UseSTD3ASCIIRules: a hyphen at the end", "bücher-.example", "", "has no ASCII form: "},
		{"a stored string: unassigned", "a\u0378.example", "", "has no ASCII form: "},
		{"two directions", "אa.example", "", "has no ASCII form: "},
		{"an empty label", "bücher..example", "", "has no ASCII form: "},
		{"too long a label", strings.Repeat("ü", 63) + ".example", "", "has no ASCII form: "},
		{"no UTF-8", "b\xfccher.example", "", "has no ASCII form: "},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := ASCIIName(tc.in)
			if got != tc.want || (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Errorf("%q, error %v, want %q, %q", got, err, tc.want, tc.err)
			}
		})
	}
}
