// SPDX-License-Identifier: Apache-2.0

package enrp_test

import (
	"bytes"
	"testing"

	"github.com/weir-lb/weir/registrar/enrp"
	"github.com/weir-lb/weir/registrar/wire"
)

// The expected bytes are RFC 5353 2.10 and RFC 5354 3.12 by hand.
func TestRejectPlain(t *testing.T) {
	rejection := []byte{
		0x0a, 0, 0, 20, 0, 0, 0, 5, 0, 0, 0, 7, // ENRP_ERROR from 5 to 7
		0, 0x0c, 0, 8, 0, 0x0a, 0, 4, // Operation Error with the cause 0xa
	}
	tests := []struct {
		name        string
		first, want []byte
	}{
		{"a request", []byte{5, 0, 0, 12, 0, 0, 0, 7, 0, 0, 0, 5}, rejection},
		{"a presence with a parameter to report", []byte{1, 0, 0, 16, 0, 0, 0, 7, 0, 0, 0, 0, 0xc0, 0x99, 0, 4}, rejection},
		{"an error", rejection, nil},
		{"an unknown message", []byte{0x42, 0, 0, 12, 0, 0, 0, 7, 0, 0, 0, 5}, nil},
		{"no message", []byte("GET / HTTP/1.1\r\n"), nil},
		{"nothing", nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := enrp.RejectPlain(5, tt.first)
			if !bytes.Equal(got, tt.want) {
				t.Errorf("got %x, want %x", got, tt.want)
			}
			if _, err := wire.ParseENRP(got); got != nil && err != nil {
				t.Errorf("the answer is no message: %v", err)
			}
		})
	}
}
