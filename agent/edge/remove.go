// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"fmt"

	"github.com/weir-lb/weir/agent/operate"
	"github.com/weir-lb/weir/loader"
)

// Remove ends the forwarding that a stopped gateway of this configuration left in the kernel: the
// program comes off every interface, and its maps are forgotten. It refuses while an edge answers
// at the configuration's control socket.
func Remove(cfg Config) error {
	alive, err := operate.Answers(cfg.Control)
	if err != nil {
		return err
	}
	if alive {
		return fmt.Errorf("a weir edge answers at %s: stop it first, then remove what it leaves", cfg.Control)
	}
	return loader.Remove(cfg.BPF)
}
