// SPDX-License-Identifier: Apache-2.0

package main

import "fmt"

const (
	statusOK      = 0
	statusFailure = 1
	statusUsage   = 2
)

// exitError is an error that chooses the exit status. Any other error that a
// subcommand returns is a failure, status 1.
type exitError struct {
	status int
	err    error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// usagef is an error in the arguments or in a configuration file: status 2.
func usagef(format string, args ...any) error {
	return &exitError{status: statusUsage, err: fmt.Errorf(format, args...)}
}
