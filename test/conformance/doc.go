// SPDX-License-Identifier: Apache-2.0

// Package conformance holds docs/conformance.md to the tests that it names.
package conformance
