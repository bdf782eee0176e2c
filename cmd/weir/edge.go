// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"

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
	return serveEdge(ctx, *file, cfg, newLogger(env.stderr, cfg.LogLevel))
}

// serveEdge runs the gateway, and reads file again at each SIGHUP.
func serveEdge(ctx context.Context, file string, cfg edge.Config, log *slog.Logger) error {
	ctx, cancel := context.WithCancel(ctx)
	hangups := make(chan os.Signal, 1) // more at once are one
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	reload := make(chan edge.Config)
	var reader sync.WaitGroup
	defer reader.Wait()
	defer cancel()
	reader.Go(func() { rereadEdge(ctx, file, hangups, reload, log) })
	return edge.Run(ctx, cfg, log, reload)
}

func rereadEdge(ctx context.Context, file string, hangups <-chan os.Signal, reload chan<- edge.Config, log *slog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangups:
		}
		cfg, err := edge.LoadConfig(file, interfaceNames)
		if err != nil {
			for fault := range strings.Lines(err.Error()) {
				log.Error("the configuration is not taken", "fault", strings.TrimSpace(fault))
			}
			continue
		}
		select {
		case <-ctx.Done():
			return
		case reload <- cfg:
			log.Info("the configuration was read again", "file", file)
		}
	}
}

func interfaceNames() ([]string, error) {
	interfaces, err := net.Interfaces()
	names := make([]string, 0, len(interfaces))
	for _, i := range interfaces {
		names = append(names, i.Name)
	}
	return names, err
}
