// SPDX-License-Identifier: Apache-2.0

// Command weir is the one binary of Weir; each role is a subcommand.
//
// It owns the command line: arguments, signals, messages to the operator and
// the exit status, which is 0 for success, 1 for a failure and 2 for a usage
// error. A subcommand turns its arguments into the configuration of one
// package, calls that package's Run once, and returns its error; nothing here
// knows a protocol or a map.
//
// To add a subcommand, write its run function in a file of its own and add one
// line to the table in main.go.
package main
