// SPDX-License-Identifier: Apache-2.0

package traffic

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"time"
)

// Plain is what came of speaking ASAP without TLS.
type Plain struct {
	Closed   bool `json:"closed"`   // the registrar ended the connection
	Received int  `json:"received"` // bytes it answered before
}

// plain sends a registration without TLS and waits for what the registrar makes of it.
func plain(ctx context.Context, target netip.AddrPort, timeout time.Duration, enc *json.Encoder) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn, err := dial(ctx, target)
	if err != nil {
		return err
	}
	defer conn.Close()
	own := conn.LocalAddr().(*net.TCPAddr).AddrPort().Addr().Unmap()
	message, err := registration(own)
	if err != nil {
		return err
	}
	if _, err := conn.Write(message); err != nil {
		return fmt.Errorf("send a plain registration: %w", err)
	}
	answer, err := io.ReadAll(conn)
	return enc.Encode(Plain{Closed: !errors.Is(err, os.ErrDeadlineExceeded), Received: len(answer)})
}
