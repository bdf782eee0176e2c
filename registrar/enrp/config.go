// SPDX-License-Identifier: Apache-2.0

package enrp

import (
	"iter"
	"math/rand/v2"
	"time"

	"github.com/weir-lb/weir/registrar/handlespace"
	"github.com/weir-lb/weir/registrar/wire"
)

// Timers are RFC 5353's thresholds (4.2) and what else takes time. One of 0 takes its default.
type Timers struct {
	HeartbeatCycle time.Duration // PEER-HEARTBEAT-CYCLE (30 s)
	LastHeard      time.Duration // MAX-TIME-LAST-HEARD (61 s)
	NoResponse     time.Duration // MAX-TIME-NO-RESPONSE (5 s)
	// MentorHunt is how long a mentor is looked for at the start; without one the registrar then is alone (5 s).
	MentorHunt time.Duration
	// TakeoverExpiry is how long the acknowledgements of a takeover may take until it is announced again (5 s).
	TakeoverExpiry time.Duration
	// Redial is the time between attempts to reach a peer, spread by plus or minus 50 %, and from a mentor's rejection to
	// the next request (2 s).
	Redial time.Duration
	// Crossing is how young an announcement of ours may be for a peer's to have crossed it (1 s).
	Crossing time.Duration
}

// Notice is how long it may take from a registrar's last word until it is taken over, by us or by whoever was first and
// died over it.
func (t Timers) Notice() time.Duration {
	t = Config{Timers: t}.withDefaults().Timers
	return t.LastHeard + 2*t.NoResponse + (guardRounds+maxRounds)*t.TakeoverExpiry
}

// Peer is a registrar that we are told of by configuration.
type Peer struct {
	Server    wire.ServerID // 0 if not known
	Transport wire.Transport
}

// Space is what a Core reads of the handlespace: a *handlespace.Space.
type Space interface {
	Find(handlespace.Key) *handlespace.Element
	Checksum(home wire.ServerID) uint16
	Homes() []wire.ServerID
	NumChildren(home wire.ServerID) int
	Children(home wire.ServerID, after handlespace.Key) iter.Seq2[handlespace.Key, *handlespace.Element]
	All(after handlespace.Key) iter.Seq2[handlespace.Key, *handlespace.Element]
}

// Config is what a Core works with. A limit of 0 takes its default.
type Config struct {
	Self  wire.ServerInfo // who we are, and where we speak ENRP; the identifier must not be 0
	Space Space
	Known []Peer // in the order in which they are asked to be the mentor
	// Secured: only registrars in Known may be peers, by their identifiers, and nobody else is dialled. Otherwise peers
	// are learnt from each other, and from multicast.
	Secured bool
	// Multicast: the heartbeat is announced by multicast too, and the mentor may be found by it.
	Multicast bool
	// LowerWins: of two registrars that take over the same target the one with the lower identifier goes on, as rsplib has
	// it. RFC 5353 3.5.1 has the higher one go on. All registrars of a scope should agree; if they do not, takeovers take
	// longer.
	LowerWins bool
	Timers    Timers
	// MaxPeers bounds the peers, and the addresses to dial (default 1024).
	MaxPeers int
	// MaxDownloads bounds the handle tables that are being handed out (default 64); beyond it requests are rejected.
	MaxDownloads int
	// MaxTableBytes and MaxTableElements bound a part of a handle table (defaults 1400 and 128).
	MaxTableBytes, MaxTableElements int
	// Rand spreads attempts to dial. It must be set, and belongs to the Core.
	Rand *rand.Rand
}

func (c Config) withDefaults() Config {
	t := &c.Timers
	t.HeartbeatCycle = orDefault(t.HeartbeatCycle, 30*time.Second)
	t.LastHeard = orDefault(t.LastHeard, 61*time.Second)
	t.NoResponse = orDefault(t.NoResponse, 5*time.Second)
	t.MentorHunt = orDefault(t.MentorHunt, 5*time.Second)
	t.TakeoverExpiry = orDefault(t.TakeoverExpiry, 5*time.Second)
	t.Redial = orDefault(t.Redial, 2*time.Second)
	t.Crossing = orDefault(t.Crossing, time.Second)
	c.MaxPeers = orDefault(c.MaxPeers, 1024)
	c.MaxDownloads = orDefault(c.MaxDownloads, 64)
	c.MaxTableBytes = orDefault(c.MaxTableBytes, 1400)
	c.MaxTableElements = orDefault(c.MaxTableElements, 128)
	return c
}

func orDefault[N int | time.Duration](n, standard N) N {
	if n == 0 {
		return standard
	}
	return n
}

// NewServerID draws an identifier for a registrar that has none (RFC 5353 3.2.1: random, and not 0).
func NewServerID(rnd *rand.Rand) wire.ServerID {
	for {
		if id := wire.ServerID(rnd.Uint32()); id != 0 {
			return id
		}
	}
}
