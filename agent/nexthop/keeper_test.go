// SPDX-License-Identifier: Apache-2.0

package nexthop

import (
	"context"
	"log/slog"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Of thousands of neighbours no more are probed than the rate allows, each has its turn, and one that the
// kernel has no room for keeps none of them from it.
func TestKeeperIsBounded(t *testing.T) {
	const many = 4000
	g := newGateway(t)
	k, log := g.openKernel(), &syncBuffer{}
	keeper := newKeeper(k, slog.New(slog.NewTextHandler(log, nil)))
	neighbors, wanted := map[target]neighbor{}, map[target]bool{}
	for i := range many { // which the kernel does not know, so that there is nothing to wait for
		at := target{g.index(1), netip.AddrFrom4([4]byte{10, 0, 1 + byte(i>>8), byte(i)})}
		neighbors[at], wanted[at] = neighbor{state: unix.NUD_STALE, managed: true}, true
	}
	must(t, keeper.keep(wanted, neighbors))
	now := time.Unix(1000, 0)
	keeper.step(now, neighbors, nil) // the first has no time to fill
	turns := 0
	for range 40 { // beats of 10 s
		now = now.Add(beat)
		before := keeper.next
		keeper.step(now, neighbors, nil)
		turned := (keeper.next - before + many) % many
		if turned > keepRate*int(beat)/int(time.Second)+1 {
			t.Fatalf("%d are probed at once", turned)
		}
		turns += turned
	}
	if turns < 9*keepRate || turns > 11*keepRate {
		t.Errorf("%d turns in 10 s, want about %d", turns, 10*keepRate)
	}

	bad := target{1 << 20, addrOf("10.0.1.1")} // behind no interface
	must(t, keeper.keep(map[target]bool{bad: true}, neighbors))
	for range 3 {
		now = now.Add(keepRefused)
		keeper.step(now, neighbors, nil)
	}
	if n := strings.Count(log.String(), "does not keep"); n != 1 {
		t.Errorf("it is said %d times that the kernel refuses, want once:\n%s", n, log)
	}
}

// What was lost on the way is read again; as long as that fails, nothing is said to be right.
func TestFinderMissesNothing(t *testing.T) {
	g := newGateway(t)
	r := g.run()
	right := func() time.Time { _, at := r.finder.Answer(); return at }
	began := time.Now()
	for right().Before(began) && time.Since(began) < patience {
		time.Sleep(time.Millisecond)
	}
	r.finder.kernel.socket.Close() // under its feet
	r.finder.ear.heard <- heard{lost: true}
	for !strings.Contains(r.log.String(), "cannot follow") && time.Since(began) < patience {
		time.Sleep(time.Millisecond)
	}
	last := right()
	time.Sleep(2*readFailed + 2*beat) // of the finder's own clock
	if now := right(); now != last || last.IsZero() {
		t.Errorf("said to be right at %v, though it cannot be read since %v", now, last)
	}
	if n := strings.Count(r.log.String(), "cannot follow"); n != 1 {
		t.Errorf("said %d times, want once:\n%s", n, r.log)
	}
}

// The ear says that something was lost when more came than the kernel's queue takes, and goes on.
func TestEarTellsOfLoss(t *testing.T) {
	g := newGateway(t)
	var e *ear
	g.inside(func() (err error) {
		if e, err = openEar(); err != nil {
			return err
		}
		return e.socket.SetReceiveBufferSize(1, true) // the least there is
	})
	for range 50 {
		must(t, g.node.Route(netip.MustParsePrefix("10.9.0.0/16"), addrOf("10.0.1.1")))
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { e.listen(ctx); close(done) }()
	lost := false
	for deadline := time.After(patience); !lost; {
		select {
		case h := <-e.heard:
			lost = h.lost
		case <-deadline:
			t.Fatal("nothing was lost")
		}
	}
	must(t, g.node.Route(netip.MustParsePrefix("10.8.0.0/16"), addrOf("10.0.1.1")))
	for deadline := time.After(patience); ; {
		select {
		case h := <-e.heard:
			if len(h.messages) == 0 {
				continue
			}
		case <-deadline:
			t.Error("nothing is heard after a loss")
		}
		break
	}
	stop()
	e.Close()
	<-done
}

// A message that is cut off is an error, or says nothing; it never is more than it says.
func TestShortMessages(t *testing.T) {
	g := newGateway(t)
	k := g.openKernel()
	var samples [][]byte
	for _, d := range []struct {
		get    uint16
		family uint8
		head   int
	}{
		{unix.RTM_GETLINK, unix.AF_UNSPEC, unix.SizeofIfInfomsg}, {unix.RTM_GETROUTE, unix.AF_INET6, unix.SizeofRtMsg},
		{unix.RTM_GETRULE, unix.AF_INET, unix.SizeofRtMsg}, {unix.RTM_GETNEIGH, unix.AF_UNSPEC, unix.SizeofNdMsg},
	} {
		must(t, k.dump(d.get, d.family, d.head, func(m []byte) error { samples = append(samples, m); return nil }))
	}
	for _, m := range samples {
		for n := range m {
			_, _ = parseLink(m[:n])
			_, _ = parseRoute(m[:n])
			_, _ = parseRule(m[:n])
			_, _, _ = parseNeighbor(m[:n])
			isNeighbor(syscall.NetlinkMessage{Data: m[:n]})
		}
	}
	if len(samples) < 10 {
		t.Errorf("only %d messages were tried", len(samples))
	}
}
