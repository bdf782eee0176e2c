// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// roleEnv names what this test binary does instead of testing; its arguments are the role's.
const roleEnv = "WEIR_E2E_ROLE"

const (
	roleServe     = "serve"     // a server: NAME ADDRESS
	roleUncapable = "uncapable" // a program without some capabilities: PROGRAM ARGUMENTS…
)

// binary is the built weir.
var binary string

func TestMain(m *testing.M) {
	switch role := os.Getenv(roleEnv); role {
	case "":
		os.Exit(buildAndRun(m))
	case roleServe:
		exit(serve(os.Args[1], os.Args[2]))
	case roleUncapable:
		exit(runUncapable(os.Args[1:]))
	default:
		exit(fmt.Errorf("no role %q", role))
	}
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// buildAndRun builds weir where any user may run it.
func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "weir-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	binary = filepath.Join(dir, "weir")
	if out, err := exec.Command("go", "build", "-o", binary, "github.com/weir-lb/weir/cmd/weir").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build weir: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// inRole is this test binary as another process.
func inRole(role string, args ...string) *exec.Cmd {
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), roleEnv+"="+role)
	return cmd
}
