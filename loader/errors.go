// SPDX-License-Identifier: Apache-2.0

package loader

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// minKernel is what the program needs: bpf_ktime_get_coarse_ns and XDP links (5.11), tested from 6.1.
const minKernel = "Linux 6.1"

// logVerifier writes the verifier's whole log, thousands of lines, for who asks for them.
func logVerifier(log *slog.Logger, err error) {
	var verifier *ebpf.VerifierError
	if errors.As(err, &verifier) {
		log.Debug("the verifier's log", "log", fmt.Sprintf("%+v", verifier))
	}
}

// explain turns a failed load into one sentence that says what to do.
func explain(what string, err error) error {
	var verifier *ebpf.VerifierError
	switch {
	case errors.Is(err, ebpf.ErrMapIncompatible):
		return fmt.Errorf("%s: %w", what, err)
	case errors.As(err, &verifier):
		return fmt.Errorf("%s: the kernel's verifier refused it, Weir needs %s or newer (run with log_level: debug for its whole log): %w", what, minKernel, err)
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("%s: not permitted: this needs CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON, which root has unless they were taken away, as in a container", what)
	case errors.Is(err, unix.ENOSYS), errors.Is(err, ebpf.ErrNotSupported):
		return fmt.Errorf("%s: this kernel has no BPF that fits, Weir needs %s or newer: %w", what, minKernel, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

func explainAttach(name string, err error) error {
	switch {
	case errors.Is(err, unix.EEXIST): // generic mode, which native mode excludes
		return fmt.Errorf("attach to %s: another XDP program is there: remove it with `ip link set dev %s xdpgeneric off` first", name, name)
	case errors.Is(err, unix.EBUSY):
		return fmt.Errorf("attach to %s: another XDP program is there: remove it with `ip link set dev %s xdp off` first", name, name)
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EINVAL):
		return fmt.Errorf("attach to %s: its driver takes no native XDP program (an MTU above one page also causes this): %w", name, err)
	}
	return explain("attach to "+name, err)
}
