// SPDX-License-Identifier: Apache-2.0

package operate

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
)

// Command takes an operator's order, a JSON document, and returns what became of it, to be encoded as JSON.
// Its error is for people: it says what to do. It is called from several goroutines at once.
type Command func(ctx context.Context, request []byte) (answer any, err error)

const (
	commandPath = "/v1/command/"
	mostRequest = 4 << 10 // bytes of an order
	mostText    = 4 << 10 // bytes of an error that are shown
)

func commandHandler(commands map[string]Command) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		command, ok := commands[r.PathValue("name")]
		if !ok {
			http.NotFound(w, r)
			return
		}
		request, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostRequest))
		if err != nil {
			http.Error(w, "an order is too large: "+err.Error(), http.StatusRequestEntityTooLarge)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), StatusTimeout)
		defer cancel()
		answer, err := command(ctx, request)
		var body []byte
		if err == nil {
			body, err = json.MarshalIndent(answer, "", "  ")
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
			return
		}
		writeDocument(w, body)
	}
}
