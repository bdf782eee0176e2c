// SPDX-License-Identifier: Apache-2.0

package loader

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/cilium/ebpf"

	"github.com/weir-lb/weir/bpf"
)

// Config says where the data plane lives and how large it is.
type Config struct {
	Dir        string   // pin directory, on a bpf file system; made if its parent exists
	Interfaces []string // names; all must exist and forward IPv4
	Flows      uint32   // flows the table holds; an entry a direction
	Log        *slog.Logger
}

// Attached is an interface that runs the program.
type Attached struct {
	Name  string
	Index int
	Mode  string // "native"
}

// Datapath is the loaded program, and what it is attached to.
type Datapath struct {
	Maps     *bpf.WeirMaps
	cfg      Config
	version  int
	attached []Attached
	objects  bpf.WeirObjects
	links    []pinnedLink
}

// Load brings the program into the kernel, with the maps that an earlier agent pinned where they
// fit. Where they do not, new ones take over what of the old still has the same layout. Nothing is
// attached yet: the caller fills the maps first.
func Load(cfg Config) (*Datapath, error) {
	if err := checkDir(cfg.Dir); err != nil {
		return nil, err
	}
	d := &Datapath{cfg: cfg}
	newest, err := newestVersion(cfg.Dir)
	if err != nil {
		return nil, err
	}
	d.version = max(newest, 1)
	err = d.loadVersion(cfg, d.version)
	if newest > 0 && errors.Is(err, ebpf.ErrMapIncompatible) {
		cfg.Log.Warn("the pinned maps do not fit this version or configuration: moving to new ones", "reason", err)
		d.version = newest + 1
		if err = d.loadVersion(cfg, d.version); err == nil {
			err = carryOver(versionDir(cfg.Dir, newest), &d.objects.WeirMaps)
		}
	}
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	d.Maps = &d.objects.WeirMaps
	return d, nil
}

// Attach puts the program on every interface of the configuration, in place of an earlier one
// where there is one, and takes it off those that are not named any more. When it fails, nothing
// is attached that was not before.
func (d *Datapath) Attach() error {
	interfaces, err := findInterfaces(d.cfg.Interfaces)
	if err != nil {
		return err
	}
	if err := d.attach(d.cfg.Dir, interfaces); err != nil {
		return err
	}
	return removeOtherVersions(d.cfg.Dir, d.version)
}

func (d *Datapath) loadVersion(cfg Config, version int) error {
	spec, err := bpf.LoadWeir()
	if err != nil {
		return fmt.Errorf("read the built-in program: %w", err)
	}
	for name, m := range spec.Maps {
		if !strings.HasPrefix(name, ".") { // the object's own data is not state
			m.Pinning = ebpf.PinByName
		}
	}
	spec.Maps["flows"].MaxEntries = 2 * cfg.Flows
	dir := versionDir(cfg.Dir, version)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make %s: %w", dir, err)
	}
	if err := spec.LoadAndAssign(&d.objects, &ebpf.CollectionOptions{Maps: ebpf.MapOptions{PinPath: dir}}); err != nil {
		logVerifier(cfg.Log, err)
		return explain("load the program", err)
	}
	return nil
}

// Interfaces lists what the program is attached to.
func (d *Datapath) Interfaces() []Attached { return d.attached }

// Close lets go of the data plane and leaves it forwarding. One that was never attached leaves
// nothing behind.
func (d *Datapath) Close() error {
	var errs []error
	if d.Maps != nil {
		errs = append(errs, d.objects.Close())
	}
	for _, l := range d.links {
		errs = append(errs, l.link.Close())
	}
	if len(d.attached) == 0 {
		errs = append(errs, removeIfUnused(d.cfg.Dir, d.version))
	}
	return errors.Join(errs...)
}

// Remove detaches the program from every interface and forgets all maps under dir.
func Remove(dir string) error {
	if err := checkDir(dir); err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove %s: %w", dir, err)
	}
	return nil
}
