// SPDX-License-Identifier: Apache-2.0

// Package traffic is what the demo's processes do that are not Weir: HTTP clients, an attacker
// that floods, and one that speaks plain ASAP. Each is a program of its own (Run), started inside
// a namespace of the lab; it reports in lines of JSON on its standard output, and a client that
// runs until told otherwise ends with its standard input.
//
// Floods are bounded in rate and time. Nothing here knows of the gateway's insides.
package traffic
