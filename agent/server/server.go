// SPDX-License-Identifier: Apache-2.0

package server

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/weir-lb/weir/agent/config"
	"github.com/weir-lb/weir/agent/operate"
	"github.com/weir-lb/weir/registrar"
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
	if s.control, err = operate.ListenControl(s.cfg.Control, s.document, nil); err != nil {
		return operate.NeedsRoot(operate.Registrar, err)
	}
	if s.metrics, err = operate.ListenMetrics(s.cfg.Metrics, newCollector(s.status)); err != nil {
		return operate.ExplainListen("metrics", s.cfg.Metrics, err)
	}
	r := &s.cfg.Registrar
	r.Identify()
	rc := r.Build(s.credentials)
	rc.Log = s.log
	s.registrar, err = registrar.New(rc)
	return operate.ExplainRegistrar(err)
}

func (s *server) serve(ctx context.Context, reload <-chan Config) error {
	operate.WarnUnsecured(s.log, s.cfg.Registrar.Unsecured)
	s.log.Info("ready", "server", s.cfg.Registrar.ServerID, "asap", s.registrar.ASAP(), "enrp", s.registrar.ENRP(),
		"peers", len(s.cfg.Registrar.Peers))
	return operate.RunAll(ctx,
		operate.Part{Name: "registrar", Run: s.registrar.Run},
		operate.Part{Name: "control socket", Run: s.control.Run},
		operate.Part{Name: "metrics", Run: s.metrics.Run},
		operate.Follow(reload, s.take),
	)
}

// take puts a new configuration into effect. The files come first: they may be faulty, and then nothing changes.
func (s *server) take(_ context.Context, cfg Config) {
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
