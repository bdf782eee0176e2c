// SPDX-License-Identifier: Apache-2.0

package loader

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
)

// pinnedLink is an attachment and whether this run made it.
type pinnedLink struct {
	link link.Link
	path string
	made bool
}

// findInterfaces looks all names up and checks what the program needs of them.
func findInterfaces(cfg Config) ([]netlink.Link, error) {
	var found []netlink.Link
	var errs []error
	for _, name := range cfg.Interfaces {
		l, err := netlink.LinkByName(name)
		if err != nil {
			errs = append(errs, fmt.Errorf("interface %s: %w", name, err))
			continue
		}
		found = append(found, l)
	}
	errs = append(errs, forwardingOf(found, "ipv4", "IPv4", "net.ipv4.ip_forward"))
	if cfg.IPv6 {
		errs = append(errs, forwardingOf(found, "ipv6", "IPv6", "net.ipv6.conf.all.forwarding"))
	}
	return found, errors.Join(errs...)
}

// forwardingOf complains about interfaces that do not forward packets of a family: bpf_fib_lookup answers
// only for those that do.
func forwardingOf(interfaces []netlink.Link, dir, family, setting string) error {
	var silent []string
	var errs []error
	for _, l := range interfaces {
		name := l.Attrs().Name
		value, err := os.ReadFile(filepath.Join("/proc/sys/net", dir, "conf", name, "forwarding"))
		switch {
		case err != nil:
			errs = append(errs, fmt.Errorf("read whether %s forwards %s: %w", name, family, err))
		case value[0] != '1':
			silent = append(silent, name)
		}
	}
	if len(silent) > 0 {
		errs = append(errs, fmt.Errorf("no forwarding of %s on %s: run `sysctl -w %s=1`", family, strings.Join(silent, ", "), setting))
	}
	return errors.Join(errs...)
}

// attach puts the program on every interface, then takes it off those that are not named any more.
// What can fail comes first: programs of an earlier run are replaced when all others are attached.
// On failure it undoes what it made.
func (d *Datapath) attach(interfaces []netlink.Link) error {
	links := filepath.Join(d.cfg.Dir, linkDir)
	if err := os.MkdirAll(links, 0o700); err != nil {
		return fmt.Errorf("make %s: %w", links, err)
	}
	for _, l := range interfaces {
		if err := d.openOrAttach(links, l); err != nil {
			return errors.Join(err, d.undo())
		}
	}
	if err := d.settle(); err != nil {
		return errors.Join(err, d.undo())
	}
	if err := d.replaceOld(); err != nil {
		return errors.Join(err, d.undo())
	}
	return errors.Join(d.detachOthers(links), d.keepTargets(links))
}

// openOrAttach opens the link of an earlier run, whose program stays for now, or makes one.
func (d *Datapath) openOrAttach(links string, l netlink.Link) error {
	name, index := l.Attrs().Name, l.Attrs().Index
	if err := d.Maps.TxPorts.Put(uint32(index), uint32(index)); err != nil {
		return fmt.Errorf("make %s a target of redirects: %w", name, err)
	}
	path := filepath.Join(links, name)
	pinned, err := openPinned(path, index)
	if err != nil {
		return err
	}
	if pinned == nil {
		if pinned, err = attachPinned(path, l, d.objects.Weir); err != nil {
			return err
		}
	}
	d.links = append(d.links, *pinned)
	d.attached = append(d.attached, Attached{Name: name, Index: index, Mode: "native"})
	return nil
}

// openPinned opens an earlier run's link; nil if there is none, or if it belonged to an interface
// of that name that is gone.
func openPinned(path string, index int) (*pinnedLink, error) {
	at, err := pinnedIndex(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	l, err := link.LoadPinnedLink(path, nil)
	if err != nil {
		return nil, fmt.Errorf("open the pinned link %s: %w", path, err)
	}
	if int(at) != index {
		return nil, errors.Join(l.Unpin(), l.Close())
	}
	return &pinnedLink{link: l, path: path}, nil
}

// replaceOld puts our program in the place of an earlier run's.
func (d *Datapath) replaceOld() error {
	for _, l := range d.links {
		if l.made {
			continue
		}
		if err := l.link.Update(d.objects.Weir); err != nil {
			return fmt.Errorf("replace the program on %s: %w", filepath.Base(l.path), err)
		}
	}
	return nil
}

func attachPinned(path string, l netlink.Link, program *ebpf.Program) (*pinnedLink, error) {
	name := l.Attrs().Name
	made, err := link.AttachXDP(link.XDPOptions{Program: program, Interface: l.Attrs().Index, Flags: link.XDPDriverMode})
	if err != nil {
		return nil, explainAttach(name, err)
	}
	if err := made.Pin(path); err != nil {
		return nil, errors.Join(fmt.Errorf("pin the link of %s: %w", name, err), made.Close())
	}
	return &pinnedLink{link: made, path: path, made: true}, nil
}

func (d *Datapath) undo() error {
	var errs []error
	for _, l := range d.links {
		if l.made {
			errs = append(errs, l.link.Detach(), l.link.Unpin())
		}
		errs = append(errs, l.link.Close())
	}
	d.links, d.attached = nil, nil
	return errors.Join(append(errs, d.keepTargets(filepath.Join(d.cfg.Dir, linkDir)))...)
}

func (d *Datapath) detachOthers(links string) error {
	entries, err := os.ReadDir(links)
	if err != nil {
		return fmt.Errorf("list the pinned links: %w", err)
	}
	wanted := map[string]bool{}
	for _, a := range d.attached {
		wanted[a.Name] = true
	}
	var errs []error
	for _, e := range entries {
		if !wanted[e.Name()] {
			errs = append(errs, detach(filepath.Join(links, e.Name())))
		}
	}
	return errors.Join(errs...)
}

// detach takes the program off the interface of a pinned link, and the pin away. Taking the pin
// away alone would detach it too, but at a later time of the kernel's choice.
func detach(path string) error {
	l, err := link.LoadPinnedLink(path, nil)
	if err != nil {
		return fmt.Errorf("open the pinned link %s: %w", path, err)
	}
	return errors.Join(l.Detach(), l.Unpin(), l.Close())
}

// keepTargets leaves only interfaces with a pinned link as targets of redirects: others lose what
// is redirected to them, uncounted.
func (d *Datapath) keepTargets(links string) error {
	entries, err := os.ReadDir(links)
	if err != nil {
		return fmt.Errorf("list the pinned links: %w", err)
	}
	keep := map[uint32]bool{}
	for _, e := range entries {
		index, err := pinnedIndex(filepath.Join(links, e.Name()))
		if err != nil {
			return err
		}
		keep[index] = true
	}
	var stale []uint32
	var index, target uint32
	for it := d.Maps.TxPorts.Iterate(); it.Next(&index, &target); {
		if !keep[index] {
			stale = append(stale, index)
		}
	}
	for _, index := range stale {
		if err := d.Maps.TxPorts.Delete(index); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("end redirects to interface %d: %w", index, err)
		}
	}
	return nil
}

// pinnedIndex is the interface that a pinned link is for; 0 when that is gone.
func pinnedIndex(path string) (uint32, error) {
	l, err := link.LoadPinnedLink(path, nil)
	if err != nil {
		return 0, fmt.Errorf("open the pinned link %s: %w", path, err)
	}
	defer l.Close()
	info, err := l.Info()
	if err != nil {
		return 0, fmt.Errorf("read the pinned link %s: %w", path, err)
	}
	if xdp := info.XDP(); xdp != nil {
		return xdp.Ifindex, nil
	}
	return 0, nil
}
