// SPDX-License-Identifier: Apache-2.0

package chaos

import (
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"
)

// seedEnv repeats a run's disturbances, as far as the machine lets them be the same.
const seedEnv = "WEIR_CHAOS_SEED"

// lasting is how long the disturbances go on.
const lasting = 100 * time.Second

// TestChaos: through 100 seconds of kills, partitions and restarts no live element is without its entry for more than three
// heartbeats, and afterwards all handlespaces are equal, and equal to the set of live elements.
func TestChaos(t *testing.T) {
	d := newDeployment(t, buildWeir(t))
	j := newJudge(d)
	t.Cleanup(d.keepLogs)
	for i := range registrars {
		d.startRegistrar(i)
	}
	for e := range elements {
		d.startElement(e)
		j.expect(e)
	}
	awaitAgreement(t, j, "before", time.Minute)

	ctx, cancel := context.WithCancel(t.Context())
	var looking sync.WaitGroup
	looking.Go(func() { j.run(ctx) })
	seed := seed(t)
	disturber := &disturber{deployment: d, judge: j, rnd: rand.New(rand.NewPCG(seed, 0)), did: map[string]int{}}
	disturber.run(lasting)
	awaitAgreement(t, j, "after", time.Minute)
	cancel()
	looking.Wait()

	faults, summary := j.verdict()
	t.Logf("seed %d: %v; %s", seed, disturber.did, summary)
	if len(faults) > 0 {
		t.Errorf("%d times; the first:\n%s", len(faults), head(faults, 10))
	}
	for _, kind := range []string{registrarKilled, isolated, parted, elementKilled} {
		if disturber.did[kind] < 3 {
			t.Errorf("only %d %s: that proves nothing", disturber.did[kind], kind)
		}
	}
}

func seed(t *testing.T) uint64 {
	t.Helper()
	text := os.Getenv(seedEnv)
	if text == "" {
		return rand.Uint64()
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func buildWeir(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "weir")
	if out, err := exec.Command("go", "build", "-o", path, "github.com/weir-lb/weir/cmd/weir").CombinedOutput(); err != nil {
		t.Fatalf("build weir: %v\n%s", err, out)
	}
	return path
}

// awaitAgreement waits until all registrars know the same, all elements.
func awaitAgreement(t *testing.T, j *judge, when string, patience time.Duration) {
	t.Helper()
	begin := time.Now()
	for {
		missing := j.agreement(t.Context())
		if missing == "" {
			t.Logf("%s: all agree after %v", when, time.Since(begin).Round(time.Millisecond))
			return
		}
		if time.Since(begin) > patience {
			t.Fatalf("%s: no agreement after %v: %s", when, patience, missing)
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-t.Context().Done():
			t.Fatal(t.Context().Err())
		}
	}
}

// keepLogs copies the logs of a failed run to where they outlive it.
func (d *deployment) keepLogs() {
	if !d.t.Failed() {
		return
	}
	to, err := os.MkdirTemp("", "weir-chaos-")
	if err == nil {
		err = os.CopyFS(to, os.DirFS(d.path("log")))
	}
	d.t.Logf("all logs: %s, %v", to, err)
}
