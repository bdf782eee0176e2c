// SPDX-License-Identifier: Apache-2.0

// Command handlespace measures a registrar's handlespace and policies in process, as rsplib's library is measured: pools of
// 1,000, 10,000 and 100,000 elements of each policy, in which elements register, register again, leave, and are resolved; and
// the memory of 1,000,000 elements in one registrar. It prints a table: see docs/bench/handlespace.txt.
//
// Each pool is measured in a process of its own, so that no pool's garbage is collected on another's account; the processes
// of one policy take turns, so that what else the machine does hits all alike.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"time"

	"github.com/weir-lb/weir/registrar/wire"
	"github.com/weir-lb/weir/test/bench/machine"
)

// policies are measured in this order.
func policies() []wire.Policy {
	return []wire.Policy{
		wire.RoundRobin(), wire.WeightedRoundRobin(1), wire.Random(), wire.WeightedRandom(1), wire.Priority(1),
		wire.LeastUsed(1), wire.LeastUsedWithDegradation(1, 1), wire.PriorityLeastUsed(1, 1), wire.RandomizedLeastUsed(1),
	}
}

func sizes() []int { return []int{1000, 10_000, 100_000} }

// job is what one process measures.
type job struct {
	Policy int // index; -1: the memory
	Size   int
	Long   time.Duration // of each operation
	Each   int           // of the memory: elements of one identity
}

// result is a time in nanoseconds for each operation, or the memory.
type result map[string]float64

func main() {
	rounds := flag.Int("rounds", 5, "how often each pool is measured")
	long := flag.Duration("long", 100*time.Millisecond, "the time for each operation")
	child := flag.String("job", "", "what to measure as the child of this command, in JSON")
	flag.Parse()
	var err error
	if *child != "" {
		err = work(*child)
	} else {
		err = report(*rounds, *long)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "handlespace:", err)
		os.Exit(1)
	}
}

// work does a job and prints its result.
func work(text string) error {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return err
	}
	r := result{}
	if j.Policy < 0 {
		r["bytes"] = memory(j.Size, j.Each)
	} else {
		measureAll(policies()[j.Policy], j, r)
	}
	return json.NewEncoder(os.Stdout).Encode(r)
}

// run does a job in a process of its own.
func run(j job) (result, error) {
	text, err := json.Marshal(j)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(os.Args[0], "-job", string(text))
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("measure %s: %w", text, err)
	}
	var r result
	return r, json.Unmarshal(out, &r)
}

func report(rounds int, long time.Duration) error {
	fmt.Printf("# %s\n# ns of a load that depends on the last one, from 256 KiB: %.1f, from 32 MiB: %.1f\n",
		machine.Describe(), machine.Latency(256<<10), machine.Latency(32<<20))
	fmt.Printf("%-6s %-28s %12s %12s %12s %9s\n", "policy", "operations/s at", "1k", "10k", "100k", "1k/100k")
	for i := range policies() {
		if err := reportPolicy(i, rounds, long); err != nil {
			return err
		}
	}
	for _, each := range []int{perIdentity, 1} {
		r, err := run(job{Policy: -1, Size: 1_000_000, Each: each})
		if err != nil {
			return err
		}
		fmt.Printf("memory: %.0f bytes for each of 1000000 elements, %d of an identity\n", r["bytes"], each)
	}
	return nil
}

// reportPolicy prints the rates of the medians of the rounds.
func reportPolicy(policy, rounds int, long time.Duration) error {
	times := map[string][]float64{}
	for range rounds {
		for _, size := range sizes() {
			r, err := run(job{Policy: policy, Size: size, Long: long})
			if err != nil {
				return err
			}
			for name, ns := range r {
				key := fmt.Sprint(name, size)
				times[key] = append(times[key], ns)
			}
		}
	}
	for _, name := range operationNames() {
		fmt.Printf("%-6s %-28s", shortName(policies()[policy]), name)
		var median []float64
		for _, size := range sizes() {
			all := times[fmt.Sprint(name, size)]
			slices.Sort(all)
			median = append(median, all[len(all)/2])
			fmt.Printf(" %12.0f", 1e9/median[len(median)-1])
		}
		fmt.Printf(" %9.2f\n", median[len(median)-1]/median[0])
	}
	return nil
}

// shortName is RFC 5356's abbreviation.
func shortName(p wire.Policy) string {
	return map[wire.PolicyType]string{
		wire.PolicyRoundRobin: "RR", wire.PolicyWeightedRoundRobin: "WRR", wire.PolicyRandom: "RAND",
		wire.PolicyWeightedRandom: "WRAND", wire.PolicyPriority: "PRIO", wire.PolicyLeastUsed: "LU",
		wire.PolicyLeastUsedWithDegradation: "LUD", wire.PolicyPriorityLeastUsed: "PLU", wire.PolicyRandomizedLeastUsed: "RLU",
	}[p.Type]
}
