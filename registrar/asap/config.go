// SPDX-License-Identifier: Apache-2.0

package asap

import (
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/weir-lb/weir/registrar/wire"
)

// Grant is what an identity may do. Without a grant it may only resolve handles and report elements.
type Grant struct {
	Identity string
	Pools    []wire.PoolHandle // the pools it may serve
	// Addresses holds every address that it may serve from. If empty, only the remote addresses of its own session.
	Addresses []netip.Prefix
}

// KeepAlive is how elements are probed (RFC 5352 3.4, 3.5).
type KeepAlive struct {
	// Interval is the time between an answer and the next probe, spread by plus or minus 50 %. 0: only on reports.
	Interval time.Duration
	// Timeout is how long an answer may take until the element is lost.
	Timeout time.Duration
}

// Config is what a Core works with. A limit of 0 takes its default.
type Config struct {
	Server wire.ServerID // ours: the home of all elements
	Grants []Grant
	// Grace is how long an element whose association ended may be away.
	Grace     time.Duration
	KeepAlive KeepAlive
	// MaxElements bounds the elements in all pools (default 1,000,000); beyond it registrations get Lack of Resources.
	MaxElements int
	// MaxElementsPerIdentity bounds the elements of one identity (default 64).
	MaxElementsPerIdentity int
	// MaxBadReports is MAX-BAD-PE-REPORT: as many identities reporting an element unreachable remove it (default 3).
	MaxBadReports int
	// Rand spreads keep-alives, and draws for the random policies. It must be set, and belongs to the Core.
	Rand *rand.Rand
}

func (c Config) withDefaults() Config {
	c.MaxElements = orDefault(c.MaxElements, 1_000_000)
	c.MaxElementsPerIdentity = orDefault(c.MaxElementsPerIdentity, 64)
	c.MaxBadReports = orDefault(c.MaxBadReports, 3)
	return c
}

func orDefault(n, standard int) int {
	if n == 0 {
		return standard
	}
	return n
}
