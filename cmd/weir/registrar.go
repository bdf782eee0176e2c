// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"

	"github.com/weir-lb/weir/agent/server"
)

const registrarUsage = `
Usage: weir registrar --config FILE [--check]

Runs a registrar without a data plane: servers enrol here, their users resolve
pools here, and other registrars, with a gateway or without, know what it knows.
SIGHUP reads the file again; a faulty one is reported and changes nothing.
SIGTERM ends it; the other registrars then take over its servers.`

func runRegistrar(ctx context.Context, args []string, env env) error {
	fs := newFlags("registrar", registrarUsage, env)
	file := fs.String("config", "", "read the configuration from this `file`")
	check := fs.Bool("check", false, "only check the configuration, and print what is wrong with it")
	if err := parseFlags(fs, args); err != nil {
		return err
	}
	if *file == "" {
		return usagef("--config is missing; weir registrar --help lists the flags")
	}
	load := func() (server.Config, error) { return server.LoadConfig(*file) }
	cfg, err := load()
	if err != nil {
		return usagef("bad configuration, nothing was started\n%w", err)
	}
	if *check {
		_, err := fmt.Fprintf(env.stdout, "%s: ok\n", *file)
		return err
	}
	return serve(ctx, *file, cfg, newLogger(env.stderr, cfg.LogLevel), load, server.Run)
}
