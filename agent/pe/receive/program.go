// SPDX-License-Identifier: Apache-2.0

package receive

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/weir-lb/weir/bpf"
)

// attach puts the program on the interface. It goes with the process, whatever ends that.
func (r *Receiver) attach(device netlink.Link) error {
	ends, err := r.ends(device)
	if err != nil {
		return err
	}
	objects, err := r.load(ends)
	if err != nil {
		return explainLoad(err)
	}
	attached, err := link.AttachXDP(link.XDPOptions{Program: objects.Decap, Interface: device.Attrs().Index, Flags: link.XDPDriverMode})
	if err != nil {
		return errors.Join(explainAttach(device.Attrs().Name, err), objects.Close())
	}
	r.undo = append(r.undo, func() error {
		err := attached.Close()
		r.report(objects)
		return errors.Join(err, objects.Close())
	})
	return nil
}

// ends are the addresses that tunnels to this host may have: the interface's, since another weir pe may serve
// at them, and the served ones, wherever those are.
func (r *Receiver) ends(device netlink.Link) ([]netip.Addr, error) {
	addrs, err := r.links.AddrList(device, netlink.FAMILY_ALL)
	if err != nil {
		return nil, fmt.Errorf("list the addresses of %s: %w", device.Attrs().Name, err)
	}
	ends := slices.Clone(r.cfg.At)
	for _, a := range addrs {
		if at, ok := netip.AddrFromSlice(a.IP); ok && at.Unmap().IsGlobalUnicast() {
			ends = append(ends, at.Unmap())
		}
	}
	return ends, nil
}

func (r *Receiver) load(ends []netip.Addr) (*bpf.DecapObjects, error) {
	spec, err := bpf.LoadDecap()
	if err != nil {
		return nil, err
	}
	if r.cfg.Mode == GUE {
		if err := spec.Variables["gue_port"].Set(networkOrder(r.cfg.GUEPort)); err != nil {
			return nil, err
		}
	}
	var objects bpf.DecapObjects
	if err := spec.LoadAndAssign(&objects, nil); err != nil {
		return nil, err
	}
	if err := errors.Join(fill(objects.Vips, r.cfg.VIPs), fill(objects.Locals, ends)); err != nil {
		return nil, errors.Join(err, objects.Close())
	}
	return &objects, nil
}

// fill writes a set of addresses, IPv4 as ::ffff:a.b.c.d.
func fill(m *ebpf.Map, addrs []netip.Addr) error {
	for _, a := range addrs {
		if err := m.Put(a.As16(), uint8(1)); err != nil {
			return fmt.Errorf("tell the program of %s, of at most %d: %w", a, m.MaxEntries(), err)
		}
	}
	return nil
}

// networkOrder is the port as it lies in a packet, read as a number of this machine.
func networkOrder(port uint16) uint16 {
	return binary.NativeEndian.Uint16(binary.BigEndian.AppendUint16(nil, port))
}

// report says what came.
func (r *Receiver) report(objects *bpf.DecapObjects) {
	count := func(receipt bpf.DecapReceipt) (sum uint64) {
		var each []uint64
		if err := objects.Receipts.Lookup(uint32(receipt), &each); err != nil {
			return 0 // a count that is not there is not worth an error at the end
		}
		for _, n := range each {
			sum += n
		}
		return sum
	}
	r.cfg.Log.Info("received in tunnels", "packets", count(bpf.DecapReceiptRECEIPT_TAKEN),
		"for_other_addresses", count(bpf.DecapReceiptRECEIPT_STRANGE), "malformed", count(bpf.DecapReceiptRECEIPT_MALFORMED),
		"congested", count(bpf.DecapReceiptRECEIPT_CONGESTED))
}

func explainLoad(err error) error {
	if errors.Is(err, unix.EPERM) {
		return errors.New("load the program that takes packets out of tunnels: run weir pe as root, or with CAP_NET_ADMIN, CAP_BPF and CAP_PERFMON")
	}
	return fmt.Errorf("load the program that takes packets out of tunnels: %w", err)
}

func explainAttach(device string, err error) error {
	switch {
	case errors.Is(err, unix.EBUSY), errors.Is(err, unix.EEXIST):
		return fmt.Errorf("attach to %s: it has an XDP program already; one weir pe receives on an interface, for all VIPs of the host", device)
	case errors.Is(err, unix.EOPNOTSUPP):
		return fmt.Errorf("attach to %s: its driver has no native XDP, or not with its settings (MTU, LRO, queues)", device)
	}
	return fmt.Errorf("attach to %s: %w", device, err)
}
