// SPDX-License-Identifier: Apache-2.0

package operate

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"syscall"
)

// ExplainListen words the usual reasons for which nobody can listen at the address of a setting.
func ExplainListen(setting string, addr netip.AddrPort, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("another program listens at %s: stop it, or choose another address for %s", addr, setting)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("%s is not an address of this machine: add it to an interface, or choose another one for %s", addr.Addr(), setting)
	}
	return err
}

// NeedsRoot adds what to do to the refusal of a file or an address.
func NeedsRoot(role Role, err error) error {
	if errors.Is(err, fs.ErrPermission) && os.Geteuid() != 0 {
		return fmt.Errorf("%w: run weir %s as root", err, role)
	}
	return err
}
