// SPDX-License-Identifier: Apache-2.0

package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/weir-lb/weir/registrar/wire"
)

// MaxSocketPath is the longest path of a unix socket in bytes, without its final
// zero (unix(7): sun_path has 108).
const MaxSocketPath = 107

// Text reads text that is not empty.
func (d *Decoder) Text(out *string) Parser { return Scalar(d, out, parseText) }

// Pool reads a pool handle.
func (d *Decoder) Pool(out *wire.PoolHandle) Parser { return Scalar(d, out, parsePool) }

// Path reads an absolute path of at most limit bytes.
func (d *Decoder) Path(out *string, limit int) Parser { return Scalar(d, out, parsePath(limit)) }

// Prefix reads an IP prefix, or an address as the prefix of just it.
func (d *Decoder) Prefix(out *netip.Prefix) Parser { return Scalar(d, out, parsePrefix) }

// AddrPort reads an IP address and a port, as one.
func (d *Decoder) AddrPort(out *netip.AddrPort) Parser { return Scalar(d, out, parseAddrPort) }

// Level reads a log level.
func (d *Decoder) Level(out *slog.Level) Parser { return Scalar(d, out, parseLevel) }

// Bool reads true or false.
func (d *Decoder) Bool(out *bool) Parser { return Scalar(d, out, parseBool) }

// Duration reads a duration from least to most.
func (d *Decoder) Duration(out *time.Duration, least, most time.Duration) Parser {
	return Scalar(d, out, parseDuration(least, most))
}

// Number reads a whole number, decimal or as 0x…, from least to most.
func Number[T ~int | ~uint8 | ~uint16 | ~uint32](d *Decoder, out *T, least, most int64) Parser {
	return Scalar(d, out, func(n *yaml.Node) (T, error) {
		digits, base := n.Value, 10
		if hex, ok := strings.CutPrefix(n.Value, "0x"); ok {
			digits, base = hex, 16
		}
		v, err := strconv.ParseInt(digits, base, 64)
		switch {
		case n.ShortTag() == "!!str", err != nil && !errors.Is(err, strconv.ErrRange):
			return 0, fmt.Errorf("%q is not a whole number", n.Value)
		case err != nil, v < least, v > most:
			return 0, fmt.Errorf("%s is not between %d and %d", n.Value, least, most)
		}
		return T(v), nil
	})
}

// OneOf reads the name of one of the values, which String gives.
func OneOf[T fmt.Stringer](d *Decoder, out *T, what string, values ...T) Parser {
	return Scalar(d, out, func(n *yaml.Node) (T, error) {
		names := make([]string, len(values))
		for i, v := range values {
			if names[i] = v.String(); n.Value == names[i] {
				return v, nil
			}
		}
		last := len(names) - 1
		return *out, fmt.Errorf("%q is not %s: %s or %s", n.Value, what, strings.Join(names[:last], ", "), names[last])
	})
}

// Optional reads a value that may also be left empty, which calls empty.
func (d *Decoder) Optional(parse Parser, empty func()) Parser {
	return func(n *yaml.Node, path string) {
		if n.Kind == yaml.ScalarNode && (n.Value == "" || n.ShortTag() == "!!null") {
			empty()
			return
		}
		parse(n, path)
	}
}

func parseText(n *yaml.Node) (string, error) {
	switch {
	case n.ShortTag() != "!!str":
		return "", fmt.Errorf("%s is not text; if it is meant as such, put it in quotes", plain(n.Value))
	case strings.TrimSpace(n.Value) == "":
		return "", errors.New("is empty")
	}
	return n.Value, nil
}

func parsePool(n *yaml.Node) (wire.PoolHandle, error) {
	s, err := parseText(n)
	return wire.PoolHandle(s), err
}

func parsePath(limit int) func(*yaml.Node) (string, error) {
	return func(n *yaml.Node) (string, error) {
		s, err := parseText(n)
		switch {
		case err != nil:
			return "", err
		case !filepath.IsAbs(s):
			return "", fmt.Errorf("%q is not an absolute path", s)
		case len(s) > limit:
			return "", fmt.Errorf("%q has %d bytes; a socket's path may have %d", s, len(s), limit)
		}
		return filepath.Clean(s), nil
	}
}

func parseBool(n *yaml.Node) (bool, error) {
	if n.ShortTag() != "!!bool" {
		return false, fmt.Errorf("%q is neither true nor false", n.Value)
	}
	return strings.EqualFold(n.Value, "true"), nil
}

func parseDuration(least, most time.Duration) func(*yaml.Node) (time.Duration, error) {
	return func(n *yaml.Node) (time.Duration, error) {
		v, err := time.ParseDuration(n.Value)
		switch {
		case err != nil:
			return 0, fmt.Errorf("%q is not a duration, such as 500ms, 10s or 2h", n.Value)
		case v < least, v > most:
			return 0, fmt.Errorf("%s is not between %s and %s", n.Value, brief(least), brief(most))
		}
		return v, nil
	}
}

// brief writes a duration without zero parts: 1h, not 1h0m0s.
func brief(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func parseAddrPort(n *yaml.Node) (netip.AddrPort, error) {
	a, err := netip.ParseAddrPort(n.Value)
	switch {
	case err != nil:
		return a, fmt.Errorf("%q is not an address and port, such as 10.0.0.1:3864", n.Value)
	case a.Port() == 0:
		return a, fmt.Errorf("%q has port 0; choose one from 1 to 65535", n.Value)
	}
	return a, nil
}

// parseAddrMayPort reads an address with a port, or without one: then the port is 0.
func parseAddrMayPort(n *yaml.Node) (netip.AddrPort, error) {
	if a, err := netip.ParseAddr(n.Value); err == nil {
		return netip.AddrPortFrom(a, 0), nil
	}
	a, err := parseAddrPort(n)
	if _, syntax := netip.ParseAddrPort(n.Value); syntax != nil {
		return a, fmt.Errorf("%q is not an address, such as 10.0.0.1, with a port or without", n.Value)
	}
	return a, err
}

func parseAddr(n *yaml.Node) (netip.Addr, error) {
	a, err := netip.ParseAddr(n.Value)
	if err != nil {
		return a, fmt.Errorf("%q is not an address, such as 10.0.0.1", n.Value)
	}
	return a, nil
}

// parsePrefix reads a prefix, or a single address as the prefix of just it.
func parsePrefix(n *yaml.Node) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(n.Value)
	if a, single := netip.ParseAddr(n.Value); single == nil {
		p, err = netip.PrefixFrom(a, a.BitLen()), nil
	}
	switch {
	case err != nil:
		return p, fmt.Errorf("%q is not an address or prefix, such as 10.0.11.2 or 10.0.11.0/24", n.Value)
	case p != p.Masked():
		return p, fmt.Errorf("%q has bits beyond its length; the prefix is %s, the address %s", n.Value, p.Masked(), p.Addr())
	}
	return p, nil
}

func parseLevel(n *yaml.Node) (slog.Level, error) {
	for _, l := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		if n.Value == strings.ToLower(l.String()) {
			return l, nil
		}
	}
	return 0, fmt.Errorf("%q is not a log level: debug, info, warn or error", n.Value)
}
