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
func findInterfaces(names []string) ([]netlink.Link, error) {
	var found []netlink.Link
	var silent []string
	var errs []error
	for _, name := range names {
		l, err := netlink.LinkByName(name)
		if err != nil {
			errs = append(errs, fmt.Errorf("interface %s: %w", name, err))
			continue
		}
		forwards, err := forwarding(name)
		if err == nil && !forwards {
			silent = append(silent, name)
		}
		errs = append(errs, err)
		found = append(found, l)
	}
	if len(silent) > 0 {
		errs = append(errs, fmt.Errorf("no forwarding of IPv4 on %s: run `sysctl -w net.ipv4.ip_forward=1`", strings.Join(silent, ", ")))
	}
	return found, errors.Join(errs...)
}

// forwarding tells whether an interface forwards: bpf_fib_lookup answers only for one that does.
func forwarding(name string) (bool, error) {
	value, err := os.ReadFile(filepath.Join("/proc/sys/net/ipv4/conf", name, "forwarding"))
	if err != nil {
		return false, fmt.Errorf("read whether %s forwards: %w", name, err)
	}
	return value[0] == '1', nil
}

// attach puts the program on every interface, then takes it off those that are not named any more.
// What can fail comes first: programs of an earlier run are replaced when all others are attached.
// On failure it undoes what it made.
func (d *Datapath) attach(dir string, interfaces []netlink.Link) error {
	linkDir := filepath.Join(dir, "links")
	if err := os.MkdirAll(linkDir, 0o700); err != nil {
		return fmt.Errorf("make %s: %w", linkDir, err)
	}
	for _, l := range interfaces {
		if err := d.openOrAttach(linkDir, l); err != nil {
			return errors.Join(err, d.undo())
		}
	}
	if err := d.replaceOld(); err != nil {
		return errors.Join(err, d.undo())
	}
	return d.detachOthers(linkDir)
}

// openOrAttach opens the link of an earlier run, whose program stays for now, or makes one.
func (d *Datapath) openOrAttach(linkDir string, l netlink.Link) error {
	name, index := l.Attrs().Name, l.Attrs().Index
	if err := d.Maps.TxPorts.Put(uint32(index), uint32(index)); err != nil {
		return fmt.Errorf("make %s a target of redirects: %w", name, err)
	}
	path := filepath.Join(linkDir, name)
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
	l, err := link.LoadPinnedLink(path, nil)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("open the pinned link %s: %w", path, err)
	}
	info, err := l.Info()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("read the pinned link %s: %w", path, err), l.Close())
	}
	if xdp := info.XDP(); xdp == nil || int(xdp.Ifindex) != index {
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
			errs = append(errs, l.link.Unpin())
		}
		errs = append(errs, l.link.Close())
	}
	d.links, d.attached = nil, nil
	return errors.Join(errs...)
}

func (d *Datapath) detachOthers(linkDir string) error {
	entries, err := os.ReadDir(linkDir)
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
			errs = append(errs, os.Remove(filepath.Join(linkDir, e.Name())))
		}
	}
	return errors.Join(errs...)
}
