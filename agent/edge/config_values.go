// SPDX-License-Identifier: Apache-2.0

package edge

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

// maxSocketPath is the longest path of a unix socket in bytes, without its final
// zero (unix(7): sun_path has 108).
const maxSocketPath = 107

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

// number reads a whole number, decimal or as 0x…, from least to most.
func number[T ~int | ~uint16 | ~uint32](d *decoder, out *T, least, most int64) parser {
	return scalar(d, out, func(n *yaml.Node) (T, error) {
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

// onlyIPv4 refuses what netip reads but this gateway does not serve.
func onlyIPv4(a netip.Addr, text string) error {
	if !a.Is4() {
		return fmt.Errorf("%q is IPv6; only IPv4 is served so far", text)
	}
	return nil
}

func parseVIP(n *yaml.Node) (netip.Addr, error) {
	a, err := netip.ParseAddr(n.Value)
	if err != nil {
		return a, fmt.Errorf("%q is not an IPv4 address", n.Value)
	}
	if err := onlyIPv4(a, n.Value); err != nil {
		return a, err
	}
	if !a.IsGlobalUnicast() {
		return a, fmt.Errorf("%q cannot be served: it is not the address of one host", n.Value)
	}
	return a, nil
}

func parseAddrPort(n *yaml.Node) (netip.AddrPort, error) {
	a, err := netip.ParseAddrPort(n.Value)
	if err != nil {
		return a, fmt.Errorf("%q is not an IPv4 address and port, such as 10.0.0.1:3864", n.Value)
	}
	if err := onlyIPv4(a.Addr(), n.Value); err != nil {
		return a, err
	}
	if a.Port() == 0 {
		return a, fmt.Errorf("%q has port 0; choose one from 1 to 65535", n.Value)
	}
	return a, nil
}

// parsePrefix reads a prefix, or a single address as the prefix of just it.
func parsePrefix(n *yaml.Node) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(n.Value)
	if a, single := netip.ParseAddr(n.Value); single == nil {
		p, err = netip.PrefixFrom(a, a.BitLen()), nil
	}
	if err != nil {
		return p, fmt.Errorf("%q is not an IPv4 address or prefix, such as 10.0.11.2 or 10.0.11.0/24", n.Value)
	}
	if err := onlyIPv4(p.Addr(), n.Value); err != nil {
		return p, err
	}
	if p != p.Masked() {
		return p, fmt.Errorf("%q has bits beyond its length; the prefix is %s, the address %s", n.Value, p.Masked(), p.Addr())
	}
	return p, nil
}

func parseProtocol(n *yaml.Node) (wire.Protocol, error) {
	for _, p := range []wire.Protocol{wire.ProtocolTCP, wire.ProtocolUDP} {
		if n.Value == p.String() {
			return p, nil
		}
	}
	return 0, fmt.Errorf("%q is not a protocol that can be served: tcp or udp", n.Value)
}

func parseLevel(n *yaml.Node) (slog.Level, error) {
	for _, l := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		if n.Value == strings.ToLower(l.String()) {
			return l, nil
		}
	}
	return 0, fmt.Errorf("%q is not a log level: debug, info, warn or error", n.Value)
}

// optional reads a value that may also be left empty, which calls empty.
func (d *decoder) optional(parse parser, empty func()) parser {
	return func(n *yaml.Node, path string) {
		if n.Kind == yaml.ScalarNode && (n.Value == "" || n.ShortTag() == "!!null") {
			empty()
			return
		}
		parse(n, path)
	}
}
