// SPDX-License-Identifier: Apache-2.0

package interop

import (
	"flag"
	"os"
	"testing"
)

// atOnce is the number of tests beside each other. They wait for timers more than they work; but with too many, an emulated
// machine stands still for longer than rsplib waits for anything.
const atOnce = "5"

func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", atOnce); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
