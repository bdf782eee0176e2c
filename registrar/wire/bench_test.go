// SPDX-License-Identifier: Apache-2.0

package wire_test

import (
	"testing"

	"github.com/weir-lb/weir/registrar/wire"
)

func BenchmarkParseRegistration(b *testing.B) {
	in := unhexed(elementCases()[0].hex)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := wire.ParseASAP(in); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppendRegistration(b *testing.B) {
	m := elementCases()[0].m
	buf := make([]byte, 0, 128)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := wire.AppendASAP(buf, m); err != nil {
			b.Fatal(err)
		}
	}
}
