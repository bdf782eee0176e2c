// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"fmt"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
)

// AttachPass attaches an XDP program that passes everything, in native mode. A
// veth whose peer answers by XDP_TX or XDP_REDIRECT needs it: without a program
// of its own it has no ring for such frames, and loses them uncounted. The
// program stays for as long as the interface.
func (n *Node) AttachPass(ifname string) error {
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name:         "lab_pass",
		Type:         ebpf.XDP,
		License:      "Apache-2.0",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, xdpPass), asm.Return()},
	})
	if err != nil {
		return fmt.Errorf("load an XDP program that passes: %w", err)
	}
	defer program.Close()
	err = n.Do(func() error {
		link, err := netlink.LinkByName(ifname)
		if err != nil {
			return err
		}
		const flags = nl.XDP_FLAGS_DRV_MODE | nl.XDP_FLAGS_UPDATE_IF_NOEXIST
		return netlink.LinkSetXdpFdWithFlags(link, program.FD(), flags)
	})
	if err != nil {
		return fmt.Errorf("attach an XDP program to %s on %s: %w", ifname, n.name, err)
	}
	return nil
}

// xdpPass is XDP_PASS of enum xdp_action.
const xdpPass = 2
