// SPDX-License-Identifier: Apache-2.0

package lab

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// offload is a feature of an interface that ethtool(8) calls by this name.
type offload struct {
	name     string
	get, set uint32 // the commands of SIOCETHTOOL
}

// offloads leave work to hardware that a veth does not have: with checksum
// offload on, a redirected TCP frame arrives with its checksum not computed.
func offloads() []offload {
	return []offload{
		{"tcp-segmentation-offload", unix.ETHTOOL_GTSO, unix.ETHTOOL_STSO},
		{"generic-segmentation-offload", unix.ETHTOOL_GGSO, unix.ETHTOOL_SGSO},
		{"generic-receive-offload", unix.ETHTOOL_GGRO, unix.ETHTOOL_SGRO},
		{"tx-checksumming", unix.ETHTOOL_GTXCSUM, unix.ETHTOOL_STXCSUM},
	}
}

func (n *Node) disableOffloads(ifname string) error {
	for _, o := range offloads() {
		if _, err := n.ethtool(ifname, o.set, 0); err != nil {
			return fmt.Errorf("switch %s off: %w", o.name, err)
		}
	}
	return nil
}

// ethtool is SIOCETHTOOL with a struct ethtool_value: a command and its value,
// which a get command replaces.
func (n *Node) ethtool(ifname string, command, value uint32) (uint32, error) {
	arg := struct{ command, value uint32 }{command, value}
	request := struct {
		name [unix.IFNAMSIZ]byte
		data unsafe.Pointer
		_    [16]byte // the rest of struct ifreq's union
	}{data: unsafe.Pointer(&arg)}
	if len(ifname) >= unix.IFNAMSIZ {
		return 0, fmt.Errorf("interface name %q: longer than %d bytes", ifname, unix.IFNAMSIZ-1)
	}
	copy(request.name[:], ifname)
	err := n.Do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request)))
		runtime.KeepAlive(&arg)
		if errno != 0 {
			return errno
		}
		return nil
	})
	return arg.value, err
}
