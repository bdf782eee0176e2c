// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"sync"
)

// serve answers HTTP requests and datagrams at address with the server's name, until it is killed.
func serve(name, address string) error {
	mux, h := http.NewServeMux(), &health{}
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, name) })
	mux.HandleFunc("GET /health", h.check)
	mux.HandleFunc("POST /sick/{times}", h.sicken)
	mux.HandleFunc("GET /good", h.tell)
	datagrams, err := net.ListenPacket("udp", address)
	if err != nil {
		return err
	}
	listen := net.ListenConfig{}
	listen.SetMultipathTCP(false)
	streams, err := listen.Listen(context.Background(), "tcp", address)
	if err != nil {
		return errors.Join(err, datagrams.Close())
	}
	ended := make(chan error, 2)
	go func() { ended <- http.Serve(streams, mux) }()
	go func() { ended <- echo(datagrams, name) }()
	return <-ended
}

// echo answers each datagram with the server's name and what it got.
func echo(conn net.PacketConn, name string) error {
	buffer := make([]byte, 2048)
	for {
		n, from, err := conn.ReadFrom(buffer)
		if err != nil {
			return err
		}
		if _, err := conn.WriteTo(fmt.Appendf(nil, "%s %s", name, buffer[:n]), from); err != nil {
			return err
		}
	}
}

// health is what a server answers to checks.
type health struct {
	mu   sync.Mutex
	sick int // checks that are going to fail
	good int // checks that did not, since the last order to fail
}

func (h *health) check(w http.ResponseWriter, _ *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.sick > 0 {
		h.sick--
		w.WriteHeader(http.StatusServiceUnavailable)
		return
	}
	h.good++
}

func (h *health) sicken(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	times, err := strconv.Atoi(r.PathValue("times"))
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
	}
	h.sick, h.good = times, 0
}

func (h *health) tell(w http.ResponseWriter, _ *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	fmt.Fprint(w, h.good)
}
