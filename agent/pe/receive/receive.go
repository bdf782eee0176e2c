// SPDX-License-Identifier: Apache-2.0

package receive

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Mode is how packets come.
type Mode string

const (
	DSR  Mode = "dsr"  // as they are, in a frame to this host
	IPIP Mode = "ipip" // in an IP packet
	GUE  Mode = "gue"  // in a UDP datagram
)

// Config says what comes, and where.
type Config struct {
	Mode      Mode
	Interface string       // that packets come in by; "": the one that has the first of At
	VIPs      []netip.Addr // at least one
	At        []netip.Addr // this host's own, where tunnels end
	GUEPort   uint16       // where GUE comes
	Log       *slog.Logger
}

// Receiver is a host that receives.
type Receiver struct {
	cfg   Config
	links *netlink.Handle
	undo  []func() error // the latest change last
	stop  chan struct{}
	renew sync.WaitGroup
}

// Open makes the host receive, in the network namespace of the calling thread. When it fails nothing has
// changed.
func Open(cfg Config) (*Receiver, error) {
	links, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open a netlink socket: %w", err)
	}
	r := &Receiver{cfg: cfg, links: links, stop: make(chan struct{})}
	if err := r.open(); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// open begins with what keeps others from learning that the VIPs are here, and ends with the packets.
func (r *Receiver) open() error {
	device, err := r.device()
	if err != nil {
		return err
	}
	if err := r.hush(device.Attrs().Name); err != nil {
		return err
	}
	if err := r.addVIPs(); err != nil {
		return err
	}
	if r.cfg.Mode != DSR {
		if err := r.attach(device); err != nil {
			return err
		}
	}
	r.cfg.Log.Info("receiving", "mode", r.cfg.Mode, "interface", device.Attrs().Name, "vips", r.cfg.VIPs)
	return nil
}

// Close takes back what Open did, the latest first. It is to be called where Open was.
func (r *Receiver) Close() error {
	close(r.stop)
	r.renew.Wait()
	var errs []error
	for i := len(r.undo) - 1; i >= 0; i-- {
		errs = append(errs, r.undo[i]())
	}
	r.links.Close()
	return errors.Join(errs...)
}

// device is the interface that packets come in by.
func (r *Receiver) device() (netlink.Link, error) {
	if r.cfg.Interface != "" {
		device, err := r.links.LinkByName(r.cfg.Interface)
		if errors.As(err, new(netlink.LinkNotFoundError)) {
			return nil, fmt.Errorf("no interface %s on this host", r.cfg.Interface)
		}
		return device, err
	}
	addrs, err := r.links.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return nil, fmt.Errorf("list this host's addresses: %w", err)
	}
	for _, a := range addrs {
		if len(r.cfg.At) > 0 && a.IP.Equal(r.cfg.At[0].AsSlice()) {
			return r.links.LinkByIndex(a.LinkIndex)
		}
	}
	return nil, fmt.Errorf("no interface has the address %v; name the one that packets come in by with --interface", r.cfg.At)
}
