// SPDX-License-Identifier: Apache-2.0

package registrar

import (
	"cmp"
	"context"
	"slices"

	"github.com/weir-lb/weir/registrar/enrp"
	"github.com/weir-lb/weir/registrar/handlespace"
)

// View is what a registrar knows, at one moment.
type View struct {
	Synchronised bool                // the handlespace is whole
	Peers        []enrp.PeerStatus   // by identifier
	Pools        []*handlespace.Pool // by handle; the snapshots are shared
	Checksum     uint16              // of the elements whose home we are, as we tell our peers
}

// View asks the loop; it is an error if Run does not run, or ctx ends.
func (r *Registrar) View(ctx context.Context) (View, error) {
	answer := make(chan View, 1)
	select {
	case r.requests <- func(l *loop) { answer <- l.view() }:
		return <-answer, nil
	case <-ctx.Done():
		return View{}, ctx.Err()
	}
}

func (l *loop) view() View {
	v := View{Synchronised: l.enrp.Synchronised(), Peers: l.enrp.Peers(), Pools: slices.Collect(l.asap.Space().Pools())}
	v.Checksum = l.asap.Space().Checksum(l.cfg.ServerID)
	slices.SortFunc(v.Pools, func(a, b *handlespace.Pool) int { return cmp.Compare(a.Handle(), b.Handle()) })
	return v
}
