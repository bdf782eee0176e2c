// SPDX-License-Identifier: Apache-2.0

package load

import (
	"context"
	"fmt"
	"io"
	"net/http"
)

// HTTP asks url: a GET that is answered with a status from 200 to 299 and a body of one number from 0 to 100. It follows
// no redirect and uses no proxy.
func HTTP(url string) Sampler {
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return func(ctx context.Context) (float64, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return 0, err
		}
		response, err := client.Do(request)
		if err != nil {
			return 0, err
		}
		defer response.Body.Close() // nothing of it is missed: the body was read, or does not matter
		if response.StatusCode < 200 || response.StatusCode > 299 {
			return 0, fmt.Errorf("GET %s: status %s", url, response.Status)
		}
		body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
		if err != nil {
			return 0, fmt.Errorf("GET %s: %w", url, err)
		}
		v, err := parsePercent(string(body))
		if err != nil {
			return 0, fmt.Errorf("GET %s: %w", url, err)
		}
		return v, nil
	}
}
