// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"net"

	"github.com/weir-lb/weir/agent/edge"
)

const edgeUsage = `
Usage: weir edge --config FILE [--check | --remove]

Runs the gateway: the registrar behind the kernel's guard, and the steering of
its services. Needs root and a bpffs. SIGHUP reads the file again; a faulty one
is reported and changes nothing. SIGTERM ends it, and the kernel goes on
forwarding by the last selection, until --remove takes that away.`

func runEdge(ctx context.Context, args []string, env env) error {
	fs := newFlags("edge", edgeUsage, env)
	file := fs.String("config", "", "read the configuration from this `file`")
	check := fs.Bool("check", false, "only check the configuration, and print what is wrong with it")
	remove := fs.Bool("remove", false, "take the program off all interfaces and forget its maps, under the configuration's bpf")
	if err := parseFlags(fs, args); err != nil {
		return err
	}
	switch {
	case *file == "":
		return usagef("--config is missing; weir edge --help lists the flags")
	case *check && *remove:
		return usagef("--check and --remove exclude each other; weir edge --help lists the flags")
	}
	cfg, err := edge.LoadConfig(*file, interfaceNames)
	if err != nil {
		return usagef("bad configuration, nothing was started\n%w", err)
	}
	switch {
	case *check:
		_, err := fmt.Fprintf(env.stdout, "%s: ok\n", *file)
		return err
	case *remove:
		return edge.Remove(cfg)
	}
	load := func() (edge.Config, error) { return edge.LoadConfig(*file, interfaceNames) }
	return serve(ctx, *file, cfg, newLogger(env.stderr, cfg.LogLevel), load, edge.Run)
}

func interfaceNames() ([]string, error) {
	interfaces, err := net.Interfaces()
	names := make([]string, 0, len(interfaces))
	for _, i := range interfaces {
		names = append(names, i.Name)
	}
	return names, err
}
