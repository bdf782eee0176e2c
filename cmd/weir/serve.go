// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
)

// serve runs a process that has a configuration, and loads that again from file at each SIGHUP.
func serve[C any](ctx context.Context, file string, cfg C, log *slog.Logger, load func() (C, error),
	run func(context.Context, C, *slog.Logger, <-chan C) error) error {
	ctx, cancel := context.WithCancel(ctx)
	hangups := make(chan os.Signal, 1) // more at once are one
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	reload := make(chan C)
	var reader sync.WaitGroup
	defer reader.Wait()
	defer cancel()
	reader.Go(func() { reread(ctx, file, hangups, reload, log, load) })
	return run(ctx, cfg, log, reload)
}

func reread[C any](ctx context.Context, file string, hangups <-chan os.Signal, reload chan<- C, log *slog.Logger,
	load func() (C, error)) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangups:
		}
		cfg, err := load()
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
