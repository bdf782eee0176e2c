// SPDX-License-Identifier: Apache-2.0

package pe

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weir-lb/weir/registrar/transport"
)

// A name with an address where packets vanish, as IPv6 often is, must not keep
// the element from the registrar's other addresses.
func TestSilentAddressDoesNotUseUpTheHunt(t *testing.T) {
	addrs := []netip.Addr{netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("10.0.0.2"), netip.MustParseAddr("10.0.0.3")}
	registrar := new(transport.Session)
	for _, test := range []struct {
		name    string
		answers netip.Addr
		after   time.Duration
	}{
		{"the first answers", addrs[0], 0},
		{"the last answers", addrs[2], 6 * time.Second}, // two thirds of 9 s
		{"nobody answers", netip.Addr{}, 9 * time.Second},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), 9*time.Second)
				defer cancel()
				began := time.Now()
				got, err := inTurn(ctx, addrs, func(ctx context.Context, addr netip.Addr) (*transport.Session, error) {
					if addr == test.answers {
						return registrar, nil
					}
					<-ctx.Done()
					return nil, ctx.Err()
				})
				if after := time.Since(began); after != test.after {
					t.Errorf("it took %v, want %v", after, test.after)
				}
				if !test.answers.IsValid() {
					if !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("error %v, want that the time is over", err)
					}
				} else if err != nil || got != registrar {
					t.Errorf("session %p, error %v, want the one that answers", got, err)
				}
			})
		})
	}
}
