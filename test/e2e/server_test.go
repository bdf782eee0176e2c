// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
)

// sickFile in a server's folder makes its health check fail.
const sickFile = "sick"

// serve answers HTTP requests and datagrams at address with the server's name, until it is killed.
func serve(name, address, dir string) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, name) })
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) {
		if _, err := os.Stat(filepath.Join(dir, sickFile)); err == nil {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	datagrams, err := net.ListenPacket("udp4", address)
	if err != nil {
		return err
	}
	listen := net.ListenConfig{}
	listen.SetMultipathTCP(false)
	streams, err := listen.Listen(context.Background(), "tcp4", address)
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
