// SPDX-License-Identifier: Apache-2.0

package pe

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/weir-lb/weir/registrar/wire"
)

// transient: may the same registration succeed later? Only a lack of resources
// passes by itself; without a cause we cannot know, and must not repeat it.
func transient(causes []wire.ErrorCause) bool {
	for _, c := range causes {
		if c.Code != wire.CauseLackOfResources {
			return false
		}
	}
	return len(causes) > 0
}

// causeText names the causes in the RFC's words.
func causeText(causes []wire.ErrorCause) string {
	if len(causes) == 0 {
		return "none given"
	}
	names := make([]string, 0, len(causes))
	for _, c := range causes {
		names = append(names, c.Code.String())
	}
	return strings.Join(names, ", ")
}

// rejection says what was refused, why, and what to do about it.
func (m *machine) rejection(causes []wire.ErrorCause) error {
	code := wire.CauseUnspecified
	if len(causes) > 0 {
		code = causes[0].Code
	}
	return fmt.Errorf("registrar %s rejected the registration in pool %q (cause: %s); %s",
		m.current(), string(m.cfg.Pool), causeText(causes), m.remedy(code))
}

// remedy is the operator's next step for a cause.
func (m *machine) remedy(code wire.CauseCode) string {
	switch code {
	case wire.CauseSecurity:
		if m.cfg.Plain { // threats draft, 2.15: all of its elements prove who they are, or none does
			return "it wants TLS: start with --identity and --key-file in place of --plain"
		}
		return fmt.Sprintf("grant identity %q this pool and the address %v in the registrar's configuration",
			m.cfg.Identity, served(m.cfg.User))
	case wire.CauseInvalidValues:
		return fmt.Sprintf("it does not accept policy %v or serving on %v://%v", m.cfg.Policy.Type, m.cfg.User.Protocol, served(m.cfg.User))
	case wire.CauseNonUniquePEID:
		return fmt.Sprintf("another element uses %v: start with another --id", m.cfg.ID)
	case wire.CauseInconsistentPolicy:
		return fmt.Sprintf("the pool does not use %v: start with the pool's --policy", m.cfg.Policy.Type)
	case wire.CauseInconsistentTransport:
		return fmt.Sprintf("the pool does not serve %v: start with the pool's protocol in --serve", m.cfg.User.Protocol)
	case wire.CauseInconsistentTransportUse:
		if m.cfg.User.Use == wire.UseDataControl {
			return "the pool has no control channel: start without --control-channel"
		}
		return "the pool has a control channel: serve it over SCTP, and start with --control-channel"
	}
	return "the registrar's log says more"
}

// served is the address and port of a user transport.
func served(t wire.Transport) netip.AddrPort {
	if len(t.Addrs) == 0 {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(t.Addrs[0], t.Port)
}
