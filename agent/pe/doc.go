// SPDX-License-Identifier: Apache-2.0

// Package pe is the pool element's sidecar: it runs beside a server that knows
// nothing of RSerPool, and keeps that server registered in a pool.
//
// It owns the element's side of ASAP (RFC 5352 3.1, 3.2, 3.4, 3.7): registration
// and its T2, T3 and T4 timers, keep-alives, the home registrar and its change,
// the health check, the load and the drain. Its invariants: the element is
// registered, or about to be, exactly while its server is healthy and nobody has
// asked it to stop; a registration that a registrar refused is never repeated as
// it is; a registrar that has the element is left only when another one has it,
// or when its session is lost; a home whose keep-alives stop is asked at once
// whether it is there.
//
// machine decides, and has neither socket nor clock nor goroutine. Run feeds it
// events from one select and carries out its actions. Where registrars are, and
// how one is found among them, is the business of agent/hunt. Over SCTP without
// TLS the element also listens, for a registrar that took it over.
//
// It will not forward or inspect the server's traffic.
package pe
