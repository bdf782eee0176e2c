// SPDX-License-Identifier: Apache-2.0

package operate

import "testing"

func TestWrap(t *testing.T) {
	if got := Wrap("aa, bb, cc, dd", 7, "\n  "); got != "aa, bb,\n  cc, dd" {
		t.Errorf("%q", got)
	}
}
