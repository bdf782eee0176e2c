// SPDX-License-Identifier: Apache-2.0

package loader

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/cilium/ebpf"

	"github.com/weir-lb/weir/bpf"
	"github.com/weir-lb/weir/maps"
)

// Config says where the data plane lives and how large it is.
type Config struct {
	Dir        string   // pin directory, on a bpf file system; made if its parent exists
	Interfaces []string // names; all must exist and forward IPv4
	IPv6       bool     // and IPv6
	Flows      uint32   // flows that the table is made for
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
	Clock    maps.Clock // the flow table's
	cfg      Config
	dir      string // of its maps
	fresh    bool   // nothing ran on these maps before
	attached []Attached
	objects  bpf.WeirObjects
	links    []pinnedLink
}

// Load brings the program into the kernel, with the maps that an earlier agent pinned where they
// fit. Where they do not, new ones take over from the old if those have the same layout. Nothing is
// attached yet: the caller fills the maps first.
func Load(cfg Config) (*Datapath, error) {
	if err := checkDir(cfg.Dir); err != nil {
		return nil, err
	}
	newest, err := newestVersion(cfg.Dir)
	if err != nil {
		return nil, err
	}
	d := &Datapath{cfg: cfg, dir: versionDir(cfg.Dir, max(newest, 1)), fresh: newest == 0}
	pins := pinsIn(d.dir)
	err = d.load()
	if !d.fresh && errors.Is(err, ebpf.ErrMapIncompatible) {
		cfg.Log.Warn("the pinned maps do not fit this version or configuration: moving to new ones", "reason", err)
		removeOtherPins(d.dir, pins) // maps that were made before the one that does not fit was met
		err = d.loadNext()
	}
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	d.Maps = &d.objects.WeirMaps
	return d, nil
}

// loadNext loads with maps of its own, which take over from those that d was to use.
func (d *Datapath) loadNext() error {
	old := d.dir
	d.dir, d.fresh = filepath.Join(d.cfg.Dir, nextDir), true
	if err := os.RemoveAll(d.dir); err != nil { // of a start that was killed
		return fmt.Errorf("remove %s: %w", d.dir, err)
	}
	if err := d.load(); err != nil {
		return err
	}
	carried, err := carryOver(old, &d.objects.WeirMaps)
	if err == nil && !carried {
		d.cfg.Log.Warn("the pinned maps have another version's layout: its flows are not known any more, and choose their elements anew")
	}
	return err
}

// Attach puts the program on every interface of the configuration, in place of an earlier one
// where there is one, and takes it off those that are not named any more. When it fails, nothing
// is attached that was not before.
func (d *Datapath) Attach() error {
	interfaces, err := findInterfaces(d.cfg)
	if err != nil {
		return err
	}
	if err := d.attach(interfaces); err != nil {
		return err
	}
	return removeOthers(d.cfg.Dir, d.dir)
}

func (d *Datapath) load() error {
	spec, err := bpf.LoadWeir()
	if err != nil {
		return fmt.Errorf("read the built-in program: %w", err)
	}
	for name, m := range spec.Maps {
		if !strings.HasPrefix(name, ".") { // the object's own data is not state
			m.Pinning = ebpf.PinByName
		}
	}
	hertz, err := kernelHertz()
	if err != nil {
		return err
	}
	if err := size(spec, d.cfg.Flows, hertz); err != nil {
		return err
	}
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return fmt.Errorf("make %s: %w", d.dir, err)
	}
	if err := spec.LoadAndAssign(&d.objects, &ebpf.CollectionOptions{Maps: ebpf.MapOptions{PinPath: d.dir}}); err != nil {
		logVerifier(d.cfg.Log, err)
		return explain("load the program", err)
	}
	d.Clock = maps.NewClock(hertz, d.objects.Tick)
	return nil
}

// size makes the flow table as large as the flows need, and sets what the program needs to know of
// that and of the kernel.
func size(spec *ebpf.CollectionSpec, flows uint32, hertz int) error {
	buckets := maps.FlowBuckets(flows)
	spec.Maps["flows"].MaxEntries, spec.Maps["flow_clients"].MaxEntries = buckets, buckets
	if err := errors.Join(
		spec.Variables["flow_buckets"].Set(buckets),
		spec.Variables["tick_shift"].Set(uint32(maps.TickShift(hertz))),
	); err != nil {
		return fmt.Errorf("set the program's constants: %w", err)
	}
	return nil
}

// Interfaces lists what the program is attached to.
func (d *Datapath) Interfaces() []Attached { return d.attached }

// Close lets go of the data plane and leaves it forwarding. One that was never attached leaves
// nothing behind.
func (d *Datapath) Close() error {
	errs := []error{d.objects.Close()}
	for _, l := range d.links {
		errs = append(errs, l.link.Close())
	}
	if d.fresh {
		_ = os.Remove(filepath.Join(d.cfg.Dir, linkDir)) // if it is there, and empty
		errs = append(errs, os.RemoveAll(d.dir))
	}
	return errors.Join(errs...)
}

// Remove detaches the program from every interface and forgets all maps under dir. What others
// keep there stays, and dir with it.
func Remove(dir string) error {
	if err := checkDir(dir); err != nil {
		return err
	}
	pins, err := filepath.Glob(filepath.Join(dir, linkDir, "*"))
	errs := []error{err}
	for _, pin := range pins {
		errs = append(errs, detach(pin))
	}
	errs = append(errs, os.RemoveAll(filepath.Join(dir, linkDir)), removeOthers(dir, ""))
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("remove the data plane: %w", err)
	}
	_ = os.Remove(dir) // only if it is empty
	return nil
}
