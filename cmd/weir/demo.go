// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"github.com/weir-lb/weir/test/demo"
	"github.com/weir-lb/weir/test/traffic"
)

const demoUsage = `
Usage: weir demo [flags]

Builds a whole deployment in network namespaces of this machine, a gateway, four
servers, a client and an attacker, runs real traffic through it, and shows what
was expected and what was seen. Needs root, and an nginx binary for the servers.
Everything is removed at the end. The exit status is 0 only if all checks held.`

// runDemo is weir demo. Its processes are this binary again: "weir demo traffic" are the clients
// and the attacker.
func runDemo(ctx context.Context, args []string, env env) error {
	if len(args) > 0 && args[0] == "traffic" {
		return traffic.Run(ctx, args[1:], os.Stdin, env.stdout)
	}
	fs := newFlags("demo", demoUsage, env)
	asJSON := fs.Bool("json", false, "print the result as one JSON document")
	keep := fs.Bool("keep", false, "leave everything running for a look around, until interrupted")
	nginx := fs.String("nginx", "nginx", "the nginx `binary` that the servers run")
	level := logLevel(fs)
	if err := parseFlags(fs, args); err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return errors.New("network namespaces and BPF need root: run it with sudo")
	}
	o := demo.Options{Progress: env.stdout, Log: newLogger(env.stderr, max(*level, 4))}
	if *asJSON {
		o.Progress = env.stderr
	}
	var err error
	if o.Nginx, err = exec.LookPath(*nginx); err != nil {
		return fmt.Errorf("no nginx at %q: install it, or say --nginx PATH (make demo fetches one)", *nginx)
	}
	if o.Weir, err = os.Executable(); err != nil {
		return err
	}
	o.Show = func(r demo.Report, l demo.Look) error {
		err := showReport(env.stdout, r, *asJSON)
		if *keep {
			lookAround(ctx, o.Progress, l)
		}
		return err
	}
	return demo.Run(ctx, o)
}

func showReport(out io.Writer, r demo.Report, asJSON bool) (err error) {
	if asJSON {
		err = r.WriteJSON(out)
	} else {
		fmt.Fprintln(out)
		err = r.WriteTable(out)
	}
	if err == nil && !r.OK {
		err = errors.New("not all checks held")
	}
	return err
}

// lookAround tells how to look at the running deployment, and waits for SIGINT or SIGTERM.
func lookAround(ctx context.Context, out io.Writer, l demo.Look) {
	fmt.Fprintf(out, "\nEverything is running. Look around:\n")
	fmt.Fprintf(out, "  weir status --control %s\n", l.Control)
	for _, node := range l.Nodes {
		fmt.Fprintf(out, "  nsenter --net=%s bash\n", node)
	}
	fmt.Fprintf(out, "A request from the client:\n  nsenter --net=%s curl %s\n", l.Nodes[1], l.Target)
	fmt.Fprintf(out, "The logs are in %s. Interrupt (ctrl-c) to take it down.\n", l.Logs)
	<-ctx.Done()
}
