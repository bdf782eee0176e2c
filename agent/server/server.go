// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/weir-lb/weir/agent/config"
	"github.com/weir-lb/weir/agent/operate"
	"github.com/weir-lb/weir/registrar"
	"github.com/weir-lb/weir/registrar/enrp"
)

// server is a running registrar, and what shows it.
type server struct {
	cfg         Config
	log         *slog.Logger
	started     time.Time
	credentials *config.Credentials
	registrar   *registrar.Registrar
	control     *operate.Server
	metrics     *operate.Server
}

// Run is the registrar, until ctx ends or a part of it fails. From a configuration of reload the keys, the certificate and
// the grants take effect at once; all else changes with a restart.
func Run(ctx context.Context, cfg Config, log *slog.Logger, reload <-chan Config) error {
	s := &server{cfg: cfg, log: log, started: time.Now()}
	err := s.open()
	if err == nil {
		err = s.serve(ctx, reload)
	}
	return errors.Join(err, s.close())
}

func (s *server) open() (err error) {
	if s.credentials, err = s.cfg.Registrar.Load(); err != nil {
		return operate.NeedsRoot(operate.Registrar, err)
	}
	if s.control, err = operate.ListenControl(s.cfg.Control, s.document); err != nil {
		return operate.NeedsRoot(operate.Registrar, err)
	}
	if s.metrics, err = operate.ListenMetrics(s.cfg.Metrics, newCollector(s.status)); err != nil {
		return operate.ExplainListen("metrics", s.cfg.Metrics, err)
	}
	r := &s.cfg.Registrar
	if r.ServerID == 0 {
		r.ServerID = enrp.NewServerID(rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64())))
	}
	rc := r.Build(r.ServerID, s.credentials)
	rc.Log = s.log
	s.registrar, err = registrar.New(rc)
	return operate.ExplainRegistrar(err)
}

// serve runs the parts; the first that fails ends the others.
func (s *server) serve(ctx context.Context, reload <-chan Config) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var parts sync.WaitGroup
	start := func(name string, run func(context.Context) error) {
		parts.Go(func() {
			if err := run(ctx); err != nil && ctx.Err() == nil {
				cancel(fmt.Errorf("%s: %w", name, err))
			}
		})
	}
	start("registrar", s.registrar.Run)
	start("control socket", s.control.Run)
	start("metrics", s.metrics.Run)
	parts.Go(func() { s.follow(ctx, reload) })
	operate.WarnUnsecured(s.log, s.cfg.Registrar.Unsecured)
	s.log.Info("ready", "server", s.cfg.Registrar.ServerID, "asap", s.registrar.ASAP(), "enrp", s.registrar.ENRP(),
		"peers", len(s.cfg.Registrar.Peers))
	<-ctx.Done()
	parts.Wait()
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return nil
}

func (s *server) follow(ctx context.Context, reload <-chan Config) {
	for {
		select {
		case <-ctx.Done():
			return
		case cfg := <-reload:
			s.take(cfg)
		}
	}
}

// take puts a new configuration into effect. The files come first: they may be faulty, and then nothing changes.
func (s *server) take(cfg Config) {
	if err := s.credentials.Reload(); err != nil {
		s.log.Error("the configuration is not taken", "fault", err)
		return
	}
	if fixed := s.needsRestart(cfg); len(fixed) > 0 {
		s.log.Warn("these settings change only with a restart of weir registrar", "settings", fixed)
	}
	s.registrar.Reload(cfg.Registrar.Grants)
	s.log.Info("configuration reloaded")
}

// needsRestart names the settings that differ and that a running registrar keeps.
func (s *server) needsRestart(cfg Config) []string {
	fixed := s.cfg.Registrar.NeedsRestart(cfg.Registrar)
	if s.cfg.Metrics != cfg.Metrics {
		fixed = append(fixed, "metrics")
	}
	if s.cfg.Control != cfg.Control {
		fixed = append(fixed, "control")
	}
	return fixed
}

func (s *server) close() error {
	errs := []error{s.metrics.Close(), s.control.Close()}
	if s.registrar != nil {
		errs = append(errs, s.registrar.Close())
	}
	return errors.Join(errs...)
}
