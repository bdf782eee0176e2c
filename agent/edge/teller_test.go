// SPDX-License-Identifier: Apache-2.0

package edge

import (
	"testing"

	"github.com/weir-lb/weir/maps"
	"github.com/weir-lb/weir/test/packet"
)

func TestProbeSegment(t *testing.T) {
	want := packet.NewTCP("10.0.100.1:80", "10.0.1.2:40000", packet.ACK)
	want.Seq, want.Window = 0xfedcba98, 0
	got := probeSegment(maps.Flow{Client: addr("10.0.1.2:40000"), VIP: addr("10.0.100.1:80")}, 0xfedcba98)

	ethernet := want.Frame()[:14]
	frame := append(ethernet[:14:14], got...)
	if err := packet.Verify(frame); err != nil {
		t.Error(err)
	}
	if diff := packet.Diff(want.Frame(), frame); diff != "" {
		t.Error(diff)
	}
}
