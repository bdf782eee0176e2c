// SPDX-License-Identifier: Apache-2.0

package bpf_test

import (
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"
)

// leastRows is how many rows the specification has at least.
const leastRows = 200

// table remembers which rows were run: test and row name a row.
type table struct {
	mu   sync.Mutex
	seen map[string]bool
}

// rows are all of this test binary's: TestMain counts them when the tests are over.
var rows = table{seen: map[string]bool{}}

// add says whether the row is a new one.
func (r *table) add(test, row string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	key := test + "/" + row
	known := r.seen[key]
	r.seen[key] = true
	return !known
}

// TestMain prints how many rows the specification has (shown by go test -v), and fails if a whole run of
// the tests had too few.
func TestMain(m *testing.M) {
	code := m.Run()
	shared.close()
	if n := len(rows.seen); n > 0 {
		fmt.Printf("%d rows\n", n)
		if code == 0 && n < leastRows && flag.Lookup("test.run").Value.String() == "" {
			fmt.Printf("want at least %d rows\n", leastRows)
			code = 1
		}
	}
	os.Exit(code)
}
