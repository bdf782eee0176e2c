// SPDX-License-Identifier: Apache-2.0

package transport

// Kind is what the peer of a session has proved.
type Kind uint8

const (
	// Proven: both ends proved the pre-shared key of one identity.
	Proven Kind = iota + 1
	// Anonymous: TLS in which the server alone proved who it is, by its certificate.
	Anonymous
	// Plain: no TLS; nobody proved anything.
	Plain
)

// String gives the kind's name in lower case.
func (k Kind) String() string {
	switch k {
	case Proven:
		return "proven"
	case Anonymous:
		return "anonymous"
	case Plain:
		return "plain"
	}
	return "unknown"
}
