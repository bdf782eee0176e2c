// SPDX-License-Identifier: Apache-2.0

package receive

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// hush keeps the host from answering ARP for addresses that its interface does not have, and from sending
// ARP from them: the VIP is the gateway's on that link. IPv6 answers for no address of another interface
// (RFC 4861 7.2.3) by itself.
func (r *Receiver) hush(device string) error {
	for _, s := range []struct {
		name  string
		least int
	}{{"arp_ignore", 1}, {"arp_announce", 2}} {
		// The larger of an interface's value and that of all counts.
		all, err := readSysctl("all", s.name)
		if err != nil {
			return err
		}
		own, err := readSysctl(device, s.name)
		if err != nil {
			return err
		}
		if max(all, own) >= s.least {
			continue
		}
		if err := writeSysctl(device, s.name, s.least); err != nil {
			return err
		}
		r.undo = append(r.undo, func() error { return writeSysctl(device, s.name, own) })
	}
	return nil
}

func sysctlPath(device, name string) string {
	return filepath.Join("/proc/sys/net/ipv4/conf", device, name)
}

func readSysctl(device, name string) (int, error) {
	text, err := os.ReadFile(sysctlPath(device, name))
	if err != nil {
		return 0, fmt.Errorf("read the setting %s of %s: %w", name, device, err)
	}
	value, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0, fmt.Errorf("read the setting %s of %s: %w", name, device, err)
	}
	return value, nil
}

func writeSysctl(device, name string, value int) error {
	if err := os.WriteFile(sysctlPath(device, name), []byte(strconv.Itoa(value)), 0); err != nil {
		return fmt.Errorf("set %s of %s to %d: %w", name, device, value, err)
	}
	return nil
}
