// SPDX-License-Identifier: Apache-2.0

package server

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/weir-lb/weir/agent/operate"
)

// Status is the document at GET /v1/status of the control socket.
type Status struct {
	Role      operate.Role            `json:"role"` // operate.Registrar
	StartedAt time.Time               `json:"started_at"`
	Registrar operate.RegistrarStatus `json:"registrar"`
}

func (s *server) document(ctx context.Context) (any, error) { return s.status(ctx) }

func (s *server) status(ctx context.Context) (Status, error) {
	view, err := s.registrar.View(ctx)
	if err != nil {
		return Status{}, err
	}
	r := operate.RegistrarOf(s.registrar, view)
	r.ServerID, r.Secured = s.cfg.Registrar.ServerID.String(), !s.cfg.Registrar.Unsecured
	return Status{Role: operate.Registrar, StartedAt: s.started, Registrar: r}, nil
}

// WriteTable writes the status for people.
func (s Status) WriteTable(w io.Writer, now time.Time) error {
	var b bytes.Buffer
	state := "ready"
	if !s.Registrar.Synchronised {
		state = "SYNCHRONISING with the other registrars"
	}
	fmt.Fprintf(&b, "weir registrar  %s\n", state)
	s.Registrar.Write(&b, now)
	_, err := w.Write(b.Bytes())
	return err
}
