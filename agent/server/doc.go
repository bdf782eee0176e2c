// SPDX-License-Identifier: Apache-2.0

// Package server is a registrar without a data plane: what RFC 5351 calls an ENRP server, and nothing else.
//
// It owns its configuration (LoadConfig), the wiring of the registrar with the control socket and the metrics (Run), and
// the status document. Its invariants: a configuration is taken as a whole or refused with all its faults; a registrar
// without security says so at every start.
//
// It will not speak a protocol (package registrar does), and it has no use for a kernel: package edge is the gateway.
package server
