// SPDX-License-Identifier: Apache-2.0

package handlespace

import "fmt"

// DepartReason says why an element left its pool.
type DepartReason uint8

const (
	// Deregistered: by itself.
	Deregistered DepartReason = iota
	// Lost: a keep-alive was not answered, or the element was Away for longer than the grace.
	Lost
	// Expired: its registration life is over.
	Expired
	// Unreachable: too many peers reported that they cannot reach it.
	Unreachable
	// Revoked: its identity may no longer serve this pool from this address.
	Revoked
	// Forgotten: its home registrar, another one, says that it left.
	Forgotten

	// DepartReasons is how many there are.
	DepartReasons = int(Forgotten) + 1
)

// String gives the reason in lower case, "deregistered".
func (r DepartReason) String() string {
	names := [DepartReasons]string{"deregistered", "lost", "expired", "unreachable", "revoked", "forgotten"}
	if int(r) < len(names) {
		return names[r]
	}
	return fmt.Sprintf("reason %d", uint8(r))
}

// Departure is an element that left its pool.
type Departure struct {
	Element *Element // as it was last
	Reason  DepartReason
}
