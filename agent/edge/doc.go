// SPDX-License-Identifier: Apache-2.0

// Package edge is the gateway: a registrar in front, the kernel's guard and
// steering behind it, and the operator beside both.
//
// It owns the configuration of a gateway (LoadConfig), the wiring of its parts
// (Run), the reconciliation of the registrar's pools into the kernel's maps, and
// what an operator sees of it: the status document on the control socket and the
// Prometheus metrics.
//
// Its invariants: an unsynchronised handlespace never empties the maps; the
// death of this process leaves the last selection forwarding; a configuration is
// taken as a whole or refused with all its faults, each with its line and path; what
// an operator has ordered stands until it is taken back.
//
// It will not speak a protocol (package registrar does), lay out a map (package
// maps) or load a program (package loader). By the control socket an operator
// changes what elements get, and nothing that the configuration says.
package edge
