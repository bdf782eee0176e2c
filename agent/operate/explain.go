// SPDX-License-Identifier: Apache-2.0

package operate

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"syscall"

	"github.com/weir-lb/weir/registrar"
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

// ExplainRegistrar words why a registrar could not be opened.
func ExplainRegistrar(err error) error {
	var listen *registrar.ListenError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &listen) && (errors.Is(err, syscall.EPROTONOSUPPORT) || errors.Is(err, syscall.ESOCKTNOSUPPORT)):
		return fmt.Errorf("this kernel has no SCTP: load its module (modprobe sctp), or choose tcp instead of %s", listen.Listener.Name)
	case errors.As(err, &listen):
		return ExplainListen(listen.Listener.Name, listen.Listener.Addr, err)
	}
	return err
}

// WarnUnsecured says so, loudly, at each start: anybody who can send to it can put servers into its pools and take them out.
func WarnUnsecured(log *slog.Logger, unsecured bool) {
	if unsecured {
		log.Warn("THIS REGISTRAR IS UNSECURED: every registration, update and peer is believed; whoever reaches it decides who serves")
	}
}
