// SPDX-License-Identifier: Apache-2.0

package server

import (
	"log/slog"
	"net/netip"
	"os"

	"github.com/weir-lb/weir/agent/config"
	"github.com/weir-lb/weir/agent/operate"
)

// Config is the configuration of a registrar without a data plane. LoadConfig reads it from YAML.
type Config struct {
	Registrar config.Registrar
	Metrics   netip.AddrPort // the zero value: no metrics
	Control   string         // absolute path of the control socket
	LogLevel  slog.Level
}

// DefaultConfig lacks only what has no sensible default. It has no metrics: a registrar may run beside a gateway, or
// beside another one.
func DefaultConfig() Config {
	return Config{
		Registrar: config.DefaultRegistrar(), Control: operate.Registrar.DefaultControl(), LogLevel: slog.LevelInfo,
	}
}

// LoadConfig reads a configuration file over the defaults. The error joins every fault of the file, one a line, as
// "FILE:LINE: PATH: what is wrong"; relative file names in it are taken from the file's own folder.
func LoadConfig(file string) (Config, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return Config{}, err
	}
	cfg, d := DefaultConfig(), new(config.Decoder)
	d.Document(text, cfg.parser(d))
	cfg.Registrar.Complete()
	d.Faults.Add(cfg.Registrar.Check()...)
	if err := d.Faults.Join(file); err != nil {
		return Config{}, err
	}
	cfg.Registrar.Locate(file)
	return cfg, nil
}

func (c *Config) parser(d *config.Decoder) config.Parser {
	return d.Object(map[string]config.Parser{
		"registrar": d.Registrar(&c.Registrar),
		"metrics":   d.Optional(d.AddrPort(&c.Metrics), func() { c.Metrics = netip.AddrPort{} }),
		"control":   d.Path(&c.Control, config.MaxSocketPath),
		"log_level": d.Level(&c.LogLevel),
	})
}
