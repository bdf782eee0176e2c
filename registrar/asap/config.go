// SPDX-License-Identifier: Apache-2.0

package asap

import (
	"cmp"
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

// Adoption is how the elements of a registrar that we take over come to us (RFC 5353 3.5.2). A time of 0 takes its default.
type Adoption struct {
	// Spread is the time over which those that have an ASAP transport are reached (default 10 s).
	Spread time.Duration
	// Grace is how long each may take to show itself (default 60 s).
	Grace time.Duration
	// Notice is how long it may take until a registrar that is gone is taken over, by us or by another one (default 2 min).
	Notice time.Duration
}

// Subscriptions bound the updates of pools (RFC 5352 2.2.5). A value of 0 takes its default.
type Subscriptions struct {
	PerSession int // pools that one session may subscribe to (default 64)
	Total      int // subscriptions of all sessions (default 65,536); of Anonymous ones half of it
	PerNetwork int // of sessions from one IPv4 address or IPv6 /64 that have proven nothing (default 1,024)
	// Interval is the least time between two updates of one pool for one session (default 1 s); what changes meanwhile
	// comes in the next one.
	Interval time.Duration
}

// Config is what a Core works with. A limit of 0 takes its default.
type Config struct {
	Server wire.ServerID // ours: the home of all elements that register here
	Grants []Grant
	// Unsecured is for a registrar without TLS (threats draft 2.15.3): anybody may register from where he is, without a
	// grant.
	Unsecured bool
	// Grace is how long an element whose association ended may be away.
	Grace     time.Duration
	KeepAlive KeepAlive
	Adoption  Adoption
	// MaxElements bounds the elements in all pools (default 1,000,000); beyond it registrations get Lack of Resources.
	MaxElements int
	// MaxElementsPerIdentity bounds the elements of one identity (default 64).
	MaxElementsPerIdentity int
	// MaxBadReports is MAX-BAD-PE-REPORT (RFC 5352 3.5): more identities than this that report an element unreachable
	// remove it, if it cannot be asked (default 3).
	MaxBadReports int
	// ReportWindow is how long such a report counts (default 5 min).
	ReportWindow  time.Duration
	Subscriptions Subscriptions
	// Rand spreads what is sent, and draws for the random policies. It must be set, and belongs to the Core.
	Rand *rand.Rand
}

func (c Config) withDefaults() Config {
	c.MaxElements = cmp.Or(c.MaxElements, 1_000_000)
	c.MaxElementsPerIdentity = cmp.Or(c.MaxElementsPerIdentity, 64)
	c.MaxBadReports = cmp.Or(c.MaxBadReports, 3)
	c.ReportWindow = cmp.Or(c.ReportWindow, 5*time.Minute)
	c.Adoption.Spread = cmp.Or(c.Adoption.Spread, 10*time.Second)
	c.Adoption.Grace = cmp.Or(c.Adoption.Grace, time.Minute)
	c.Adoption.Notice = cmp.Or(c.Adoption.Notice, 2*time.Minute)
	c.Subscriptions.PerSession = cmp.Or(c.Subscriptions.PerSession, 64)
	c.Subscriptions.Total = cmp.Or(c.Subscriptions.Total, 65_536)
	c.Subscriptions.PerNetwork = cmp.Or(c.Subscriptions.PerNetwork, 1024)
	c.Subscriptions.Interval = cmp.Or(c.Subscriptions.Interval, time.Second)
	return c
}
