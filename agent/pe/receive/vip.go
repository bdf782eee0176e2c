// SPDX-License-Identifier: Apache-2.0

package receive

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A VIP has a life, which is renewed as long as the process lives. So it ends some time after one that was
// killed, and is known from one that somebody else added for good.
const (
	vipLife  = 5 * time.Minute
	vipRenew = time.Minute
)

const forever = 1<<32 - 1 // IFA_CACHEINFO: never ends

// addVIPs adds those that are not there for good, and renews them until Close.
func (r *Receiver) addVIPs() error {
	lo, err := r.links.LinkByName("lo")
	if err != nil {
		return fmt.Errorf("find the loopback interface: %w", err)
	}
	var ours []*netlink.Addr
	for _, vip := range r.cfg.VIPs {
		there, err := r.hasForever(vip)
		if err != nil {
			return err
		}
		if there {
			r.cfg.Log.Info("the VIP is there already, and stays", "vip", vip)
			continue
		}
		addr := vipAddr(vip)
		if err := r.links.AddrReplace(lo, addr); err != nil {
			return explainVIP(vip, err)
		}
		ours = append(ours, addr)
		r.undo = append(r.undo, func() error { return r.delVIP(lo, vip) })
	}
	r.renew.Go(func() { r.renewVIPs(lo, ours) })
	return nil
}

// vipAddr is the VIP for the loopback interface: never chosen as the source of what the host itself begins.
func vipAddr(vip netip.Addr) *netlink.Addr {
	addr := &netlink.Addr{
		IPNet: &net.IPNet{IP: vip.AsSlice(), Mask: net.CIDRMask(vip.BitLen(), vip.BitLen())}, ValidLft: int(vipLife.Seconds()),
	}
	if vip.Is4() {
		addr.Scope = unix.RT_SCOPE_HOST
	} else {
		addr.Flags = unix.IFA_F_NODAD // other hosts have it too
	}
	return addr
}

func (r *Receiver) hasForever(vip netip.Addr) (bool, error) {
	addrs, err := r.links.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return false, fmt.Errorf("list this host's addresses: %w", err)
	}
	for _, a := range addrs {
		if a.IP.Equal(vip.AsSlice()) {
			return uint32(a.ValidLft) == forever, nil
		}
	}
	return false, nil
}

func (r *Receiver) delVIP(lo netlink.Link, vip netip.Addr) error {
	err := r.links.AddrDel(lo, vipAddr(vip))
	if err != nil && !errors.Is(err, unix.EADDRNOTAVAIL) {
		return fmt.Errorf("remove %s from the loopback interface: %w", vip, err)
	}
	return nil
}

func (r *Receiver) renewVIPs(lo netlink.Link, addrs []*netlink.Addr) {
	ticker := time.NewTicker(vipRenew)
	defer ticker.Stop()
	for {
		select {
		case <-r.stop:
			return
		case <-ticker.C:
		}
		for _, addr := range addrs {
			if err := r.links.AddrReplace(lo, addr); err != nil {
				r.cfg.Log.Warn("a VIP could not be renewed; the next try is in a minute", "vip", addr.IPNet, "error", err)
			}
		}
	}
}

func explainVIP(vip netip.Addr, err error) error {
	switch {
	case errors.Is(err, unix.EACCES) && vip.Is6():
		return fmt.Errorf("add %s to the loopback interface: IPv6 is switched off there; run: sysctl -w net.ipv6.conf.lo.disable_ipv6=0", vip)
	case errors.Is(err, unix.EPERM):
		return fmt.Errorf("add %s to the loopback interface: run weir pe as root, or with CAP_NET_ADMIN and CAP_BPF", vip)
	}
	return fmt.Errorf("add %s to the loopback interface: %w", vip, err)
}
