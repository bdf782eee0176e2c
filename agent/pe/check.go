// SPDX-License-Identifier: Apache-2.0

package pe

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"
)

// CheckHTTP is well when a GET of url is answered with a status from 200 to
// 399; it follows no redirect and uses no proxy.
func CheckHTTP(url string) func(context.Context) error {
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true}, // each check proves that the server accepts
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		response.Body.Close() // the status is all that counts
		if response.StatusCode < 200 || response.StatusCode > 399 {
			return fmt.Errorf("GET %s: status %s", url, response.Status)
		}
		return nil
	}
}

// CheckTCP is well when host:port accepts a connection.
func CheckTCP(hostport string) func(context.Context) error {
	return func(ctx context.Context) error {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", hostport)
		if err != nil {
			return err
		}
		return conn.Close()
	}
}

// probe asks at once and then every interval, which is also a question's time
// limit, until ctx ends.
func probe[T any](ctx context.Context, ask func(context.Context) T, interval time.Duration, results chan<- T) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		result := askOnce(ctx, ask, interval)
		select {
		case results <- result:
		case <-ctx.Done():
			return
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}

func askOnce[T any](ctx context.Context, ask func(context.Context) T, limit time.Duration) T {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return ask(ctx)
}
