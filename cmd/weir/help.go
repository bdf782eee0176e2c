// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"text/tabwriter"
)

// runHelp lists the subcommands, or prints the usage of the one that is named.
func runHelp(ctx context.Context, args []string, env env) error {
	if len(args) > 0 && args[0] != "help" {
		c, ok := find(args[0])
		if !ok {
			return usagef("unknown subcommand %q; weir help lists them", args[0])
		}
		return c.run(ctx, []string{"--help"}, env)
	}
	fmt.Fprint(env.stdout, "Weir is a load balancer whose servers enrol themselves.\n\nUsage: weir SUBCOMMAND [flags]\n\n")
	w := tabwriter.NewWriter(env.stdout, 0, 0, 3, ' ', 0)
	for _, c := range commands() {
		fmt.Fprintf(w, "  %s\t%s\n", c.name, c.summary)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprint(env.stdout, "\nweir help SUBCOMMAND describes one of them and its flags.\n"+
		"Exit status: 0 success, 1 failure, 2 wrong usage.\n")
	return nil
}
