// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"time"
	"unsafe"

	"github.com/weir-lb/weir/bpf"
	"github.com/weir-lb/weir/maps"
)

// describe prints what the program is: its size, what it takes to load, and its memory for each flow.
func (b *bench) describe(to io.Writer) error {
	for name, w := range b.worlds {
		info, err := w.program.Info()
		if err != nil {
			return fmt.Errorf("read about the program: %w", err)
		}
		size, err := info.TranslatedSize()
		if err != nil {
			return err
		}
		jited, err := info.JitedSize()
		if err != nil {
			return err
		}
		verified, _ := info.VerifiedInstructions()
		fmt.Fprintf(to, "program: %d instructions, %d bytes of machine code; %d instructions verified; loaded with its maps in %s (world %s)\n",
			size/8, jited, verified, w.loading.Round(time.Millisecond), name)
		break
	}
	bucket := int(unsafe.Sizeof(bpf.WeirFlowBucket{}) + unsafe.Sizeof(bpf.WeirFlowClient{}))
	fmt.Fprintf(to, "memory: %.1f bytes for each flow that the table is made for\n", float64(bucket)*float64(maps.FlowBuckets(tableFor))/tableFor)
	return nil
}
