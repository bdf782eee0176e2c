// SPDX-License-Identifier: Apache-2.0

package operate

import (
	"context"
	"errors"
	"net"
	"net/http"
	"time"
)

// Server is an HTTP server for the people and programs of this machine. Nil is one that is off.
type Server struct {
	listener net.Listener
	server   *http.Server
}

func newServer(l net.Listener, handler http.Handler) *Server {
	return &Server{l, &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       5 * time.Second,
		WriteTimeout:      2 * StatusTimeout,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
	}}
}

// Run serves until ctx ends, and then ends what is being answered within a second.
func (s *Server) Run(ctx context.Context) error {
	if s == nil {
		return nil
	}
	served := make(chan error, 1)
	go func() { served <- s.server.Serve(s.listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	err := s.server.Shutdown(grace)
	if errors.Is(err, context.DeadlineExceeded) {
		err = s.server.Close()
	}
	<-served
	return err
}

// Close frees the listening socket, whether Run was called or not.
func (s *Server) Close() error {
	if s == nil {
		return nil
	}
	if err := errors.Join(s.server.Close(), s.listener.Close()); !errors.Is(err, net.ErrClosed) {
		return err
	}
	return nil
}
