// SPDX-License-Identifier: Apache-2.0

package pu

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/weir-lb/weir/registrar/wire"
)

var began = time.Unix(1000, 0)

func newTestCache() *cache { return newCache(5*time.Second, rand.New(rand.NewPCG(1, 2))) }

// filled has an answer about web.
func filled(ids ...wire.PEID) (*cache, *entry) {
	c := newTestCache()
	e := c.enter("web", began)
	c.settle(settle{pool: "web", response: response("web", false, ids...)}, began)
	return c, e
}

func TestStaleCacheValue(t *testing.T) {
	c, e := filled(1)
	for after, fresh := range map[time.Duration]bool{0: true, 4999 * time.Millisecond: true, 5 * time.Second: false} {
		if got := c.view(e, began.Add(after)).fresh; got != fresh {
			t.Errorf("after %v fresh is %v", after, got)
		}
	}
	c.settle(settle{pool: "web", response: response("web", true, 1)}, began)
	if !c.view(e, began.Add(time.Hour)).fresh {
		t.Error("stale though updates come")
	}
	c.unlive("web")
	if c.view(e, began.Add(time.Hour)).fresh {
		t.Error("fresh though updates come no more")
	}
}

func TestWhatAFailureLeaves(t *testing.T) {
	c, e := filled(1)
	c.settle(settle{pool: "web", err: errNobody}, began)
	if v := c.view(e, began); v.pool == nil || v.fresh || v.err == nil {
		t.Errorf("after no answer: %+v, want the pool, stale, and the error", v)
	}
	c.settle(settle{pool: "web", err: ErrUnknownPool, negative: true}, began)
	if v := c.view(e, began); v.pool != nil {
		t.Errorf("after a negative answer: %+v, want no pool", v)
	}
}

func TestAnswersThatNobodyAskedForAreNotKept(t *testing.T) {
	c := newTestCache()
	c.settle(settle{pool: "web", response: response("web", false, 1)}, began)
	c.unlive("web")
	if len(c.pools) != 0 {
		t.Error("an answer that nobody asked for is kept")
	}
	c.leave("web", c.enter("web", began))
	if len(c.pools) != 0 {
		t.Error("an empty entry is kept")
	}
}

func TestCacheIsBounded(t *testing.T) {
	c := newTestCache()
	for i := range 2 * maxEntries {
		pool := wire.PoolHandle(fmt.Sprint("pool-", i))
		e := c.enter(pool, began.Add(time.Duration(i)))
		c.settle(settle{pool: pool, response: response(pool, false, 1)}, began)
		if i > 0 { // somebody waits for the first
			c.leave(pool, e)
		}
	}
	if len(c.pools) != maxEntries || c.pools["pool-0"] == nil || c.pools["pool-2047"] == nil || c.pools["pool-1"] != nil {
		t.Errorf("%d entries, want %d: the one in use and the latest", len(c.pools), maxEntries)
	}
}

func chosen(t *testing.T, c *cache, e *entry, now time.Time, except map[wire.PEID]bool, preferred ...wire.PEID) wire.PEID {
	t.Helper()
	got, ok := c.choose(e, except, preferred, now)
	if !ok {
		return 0
	}
	return got.ID
}

func TestChoose(t *testing.T) {
	c, e := filled(1, 2, 3)
	for _, want := range []wire.PEID{1, 2, 3, 1} {
		if got := chosen(t, c, e, began, nil); got != want {
			t.Errorf("chose %v, want %v", got, want)
		}
	}
	// The same elements in another order: the turns go on.
	c.settle(settle{pool: "web", response: response("web", false, 2, 3, 1)}, began)
	if got := chosen(t, c, e, began, nil); got != 2 {
		t.Errorf("chose %v after the same answer, want 2: the next", got)
	}
	if got := chosen(t, c, e, began, nil, 9, 3, 2); got != 3 {
		t.Errorf("chose %v, want 3: a business card's first that the pool has", got)
	}
	if got := chosen(t, c, e, began, map[wire.PEID]bool{1: true, 2: true, 3: true}); got != 0 {
		t.Errorf("chose %v of nobody", got)
	}
}

func TestUnreachableIsTheLastChoice(t *testing.T) {
	c, e := filled(1, 2)
	if report, err := c.unreachable("web", 1, began); !report || err != nil {
		t.Errorf("report %v, error %v", report, err)
	}
	for range 3 {
		if got := chosen(t, c, e, began.Add(time.Second), nil, 1); got != 2 {
			t.Errorf("chose %v, want 2", got)
		}
	}
	if got := chosen(t, c, e, began.Add(time.Second), map[wire.PEID]bool{2: true}); got != 1 {
		t.Errorf("chose %v, want 1: there is no other", got)
	}
	later := began.Add(avoidFor + time.Second)
	if a, b := chosen(t, c, e, later, nil), chosen(t, c, e, later, nil); a == b {
		t.Errorf("chose %v twice, want both in turn again", a)
	}
}

func TestReportsAreLimited(t *testing.T) {
	c, _ := filled(1)
	for _, step := range []struct {
		after  time.Duration
		report bool
	}{{0, true}, {time.Second, false}, {9 * time.Second, false}, {10 * time.Second, true}, {11 * time.Second, false}} {
		if report, err := c.unreachable("web", 1, began.Add(step.after)); report != step.report || err != nil {
			t.Errorf("after %v: report %v, error %v, want %v", step.after, report, err, step.report)
		}
	}
	if _, err := c.unreachable("web", 2, began); err == nil {
		t.Error("an element that was never given out is reported")
	}
	if _, err := c.unreachable("other", 1, began); err == nil {
		t.Error("an element of an unknown pool is reported")
	}
}

func TestPurge(t *testing.T) {
	c, e := filled(1)
	c.purge("web")
	if c.view(e, began).pool != nil {
		t.Error("a purged pool is known")
	}
	c.leave("web", e)
	c.purge("web")
	if len(c.pools) != 0 {
		t.Error("a purged entry is kept")
	}
}

// A business card of a pool that is not known (RFC 5352 3.9, BC1).
func TestCardsPoolIsPrepared(t *testing.T) {
	c, _ := filled(1)
	if c.prepare("web", began) {
		t.Error("a pool that is known is prepared")
	}
	if !c.prepare("other", began) {
		t.Error("a pool that is not known is not prepared")
	}
	c.settle(settle{pool: "other", response: response("other", false, 1)}, began)
	if c.pools["other"].pool == nil {
		t.Error("its answer is not kept")
	}
	for i := range 2 * maxEntries { // an element that sends cards of ever other pools
		c.prepare(wire.PoolHandle(fmt.Sprint("pool-", i)), began)
	}
	if len(c.pools) != maxEntries/2 {
		t.Errorf("%d entries, want no more than half of %d", len(c.pools), maxEntries)
	}
}
