// SPDX-License-Identifier: Apache-2.0

// Package chaos kills, parts and restarts: three registrars and 300 pool elements, each a process of the built weir, in
// network namespaces. While that goes on no live element may be without its entry for long, and when it is over all
// registrars know the same elements, those that live.
package chaos
