// SPDX-License-Identifier: Apache-2.0

package load

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// killed is how long a command's pipe may stay open after the command was killed.
const killed = 100 * time.Millisecond

// Command runs a program, whose standard output is one number from 0 to 100. There is no shell: argv is the program and
// its arguments as they are. Its input is empty, what it writes on standard error is dropped. When ctx ends, the program
// is killed, and when it has ended, all that it has started in its process group.
func Command(argv []string) Sampler {
	return func(ctx context.Context) (float64, error) {
		var out answer
		cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
		cmd.Stdout = &out
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		cmd.Cancel = func() error { return killGroup(cmd.Process.Pid) }
		cmd.WaitDelay = killed
		err := cmd.Run()
		if cmd.Process != nil {
			_ = killGroup(cmd.Process.Pid) // what it started and left behind; mostly nothing
		}
		if ctx.Err() != nil {
			return 0, fmt.Errorf("%s: %w", argv[0], ctx.Err())
		}
		if err != nil {
			return 0, fmt.Errorf("%s: %w", argv[0], err)
		}
		v, err := parsePercent(out.String())
		if err != nil {
			return 0, fmt.Errorf("%s: %w", argv[0], err)
		}
		return v, nil
	}
}

func killGroup(pid int) error {
	err := syscall.Kill(-pid, syscall.SIGKILL)
	if errors.Is(err, syscall.ESRCH) {
		return os.ErrProcessDone
	}
	return err
}

// answer keeps the first maxAnswer bytes that are written, and takes the rest so that the writer does not wait.
type answer struct{ bytes.Buffer }

func (a *answer) Write(p []byte) (int, error) {
	a.Buffer.Write(p[:min(len(p), maxAnswer-a.Len())])
	return len(p), nil
}
