// SPDX-License-Identifier: Apache-2.0

// Package e2e tests weir from outside: the built binary, in network namespaces, on real traffic,
// beside servers that know nothing of it. What the demo shows of a whole deployment is not
// repeated here; these are the ways in which one starts, changes, fails and ends.
//
// Each test owns a lab of its own: a client, a gateway and two servers. Its invariant is the lab's:
// nothing outlives a test. A test looks at what clients see, the control socket, the metrics, the
// interfaces and the pin directory, and never into a process.
//
// It does not test what a package alone can show, and it does not measure speed.
package e2e
