// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// runUncapable becomes a program of root's that may not use bpf(2). What is not in the bounding
// set when a program is executed, root does not get either (capabilities(7)).
func runUncapable(args []string) error {
	if len(args) == 0 {
		return errors.New("no program")
	}
	runtime.LockOSThread()                                          // the set is the thread's, and execve keeps that of the calling one
	for _, c := range []uintptr{unix.CAP_BPF, unix.CAP_SYS_ADMIN} { // CAP_SYS_ADMIN includes CAP_BPF
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil {
			return fmt.Errorf("drop capability %d: %w", c, err)
		}
	}
	env := os.Environ()
	for i, v := range env {
		if strings.HasPrefix(v, roleEnv+"=") {
			env[i] = roleEnv + "="
		}
	}
	return syscall.Exec(args[0], args, env)
}
