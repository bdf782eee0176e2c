// SPDX-License-Identifier: Apache-2.0

package interop

import (
	"bufio"
	"encoding/binary"
	"errors"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
	"golang.org/x/sys/unix"
)

// snapLen is more than any frame has: the links' MTU is 1500, and nothing is offloaded.
const snapLen = 1 << 16

// interfaceOfFrame is where a socket's filter reads it: SKF_AD_OFF + SKF_AD_IFINDEX of linux/filter.h.
const interfaceOfFrame = 0xfffff000 + 8

// capture writes every frame that reaches the router to a file, until the test ends. A bridge gives what is for the router,
// and all multicasts, to the router a second time.
func (n *network) capture(bridge string) {
	n.t.Helper()
	var socket *os.File
	n.must(n.router.Do(func() (err error) {
		socket, err = openPacketSocket(bridge)
		return err
	}))
	file, err := os.Create(filepath.Join(n.dir, n.name+".pcap"))
	n.must(err)
	done := make(chan error, 1)
	go func() { done <- record(socket, file) }()
	n.t.Cleanup(func() {
		n.must(socket.Close())
		if err := <-done; err != nil {
			n.t.Errorf("capture: %v", err)
		}
	})
}

// openPacketSocket sees each frame where it comes in, on any interface but one, and not again where it goes out.
func openPacketSocket(except string) (*os.File, error) {
	protocol := int(binary.NativeEndian.Uint16([]byte{unix.ETH_P_ALL >> 8, unix.ETH_P_ALL}))
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, protocol)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_IGNORE_OUTGOING, 1); err != nil {
		return nil, errors.Join(os.NewSyscallError("setsockopt", err), unix.Close(fd))
	}
	if err := exclude(fd, except); err != nil {
		return nil, errors.Join(err, unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), "packets"), nil
}

// exclude lets the socket pass over what comes in on an interface, if one is named.
func exclude(fd int, name string) error {
	if name == "" {
		return nil
	}
	i, err := net.InterfaceByName(name)
	if err != nil {
		return err
	}
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: interfaceOfFrame},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: uint32(i.Index), Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
		{Code: unix.BPF_RET | unix.BPF_K, K: snapLen},
	}
	filter := &unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	return os.NewSyscallError("setsockopt", unix.SetsockoptSockFprog(fd, unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, filter))
}

func record(socket, file *os.File) (err error) {
	buffered := bufio.NewWriter(file)
	defer func() { err = errors.Join(err, buffered.Flush(), file.Close()) }()
	w := pcapgo.NewWriter(buffered)
	if err := w.WriteFileHeader(snapLen, layers.LinkTypeEthernet); err != nil {
		return err
	}
	frame := make([]byte, snapLen)
	for {
		n, err := socket.Read(frame)
		switch {
		case errors.Is(err, os.ErrClosed):
			return nil
		case err != nil:
			return err
		}
		info := gopacket.CaptureInfo{Timestamp: time.Now(), CaptureLength: n, Length: n}
		if err := w.WritePacket(info, frame[:n]); err != nil {
			return err
		}
	}
}
