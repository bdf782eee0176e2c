// SPDX-License-Identifier: Apache-2.0

package maps

import (
	"fmt"

	"github.com/weir-lb/weir/bpf"
)

// readSettings are the program's settings as they are now.
func readSettings(m *bpf.WeirMaps) (p bpf.WeirParameters, err error) {
	if err := m.Settings.Lookup(uint32(0), &p); err != nil {
		return p, fmt.Errorf("read the settings: %w", err)
	}
	return p, nil
}
