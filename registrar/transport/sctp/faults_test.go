// SPDX-License-Identifier: Apache-2.0

package sctp

import (
	"bytes"
	"errors"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	lib "github.com/ishidawataru/sctp"
	"golang.org/x/sys/unix"
)

// Each test here would catch a fault of github.com/ishidawataru/sctp.

func threads(t *testing.T) int {
	t.Helper()
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	return len(tasks)
}

// TestBlockedReadsCostNoThreads: its reads block one thread each.
func TestBlockedReadsCostNoThreads(t *testing.T) {
	client, server := pair(t)
	var all sync.WaitGroup
	defer all.Wait()
	read := func(c *Conn) { all.Go(func() { c.ReadMessage() }) }
	defer client.Close()
	read(client)
	before := threads(t)
	for range 64 {
		c, s := pair(t)
		defer c.Close()
		read(c)
		send(t, s, pattern(1)) // it has been there
		read(s)
		defer s.Close()
	}
	read(server)
	defer server.Close()
	runtime.Gosched()
	if after := threads(t); after > before+8 {
		t.Errorf("%d threads before, %d with 128 blocked reads", before, after)
	}
}

// grow makes the stack move.
func grow(n int) int {
	var frame [256]byte
	if n == 0 {
		return int(frame[0])
	}
	return grow(n-1) + int(frame[n%256])
}

// TestAddressesAreNeverGarbage: it passes addresses on the stack as numbers.
func TestAddressesAreNeverGarbage(t *testing.T) {
	client, server := pair(t)
	want := server.LocalAddrs()[0]
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for i := range 500 {
				done := make(chan struct{})
				go func() { // on a small stack, which grows
					defer close(done)
					grow(i % 64)
					err := client.control(func(fd int) error {
						got, err := addresses(fd, lib.SCTP_GET_PEER_ADDRS)
						if err == nil && (len(got) == 0 || got[0] != want) {
							t.Errorf("%v, want %v", got, want)
						}
						return err
					})
					if err != nil {
						t.Error(err)
					}
				}()
				<-done
			}
		})
	}
	all.Wait()
}

// TestPPIDInNetworkByteOrder: 11 arrived as 0xb000000.
func TestPPIDInNetworkByteOrder(t *testing.T) {
	client, server := pair(t)
	send(t, client, pattern(8))
	for {
		got, err := server.recvmsg(make([]byte, minRead))
		if err != nil {
			t.Fatal(err)
		}
		if got.flags&lib.MSG_NOTIFICATION != 0 {
			continue
		}
		messages, err := unix.ParseSocketControlMessage(got.oob)
		if err != nil || len(messages) != 1 {
			t.Fatalf("%x, %v", got.oob, err)
		}
		if ppid := messages[0].Data[8:12]; !bytes.Equal(ppid, []byte{0, 0, 0, asap}) {
			t.Errorf("on the wire: %x", ppid)
		}
		return
	}
}

// TestNotificationsAreNoData: both ends have been told that the association is
// up before the first message, and so handed it out.
func TestNotificationsAreNoData(t *testing.T) {
	client, server := pair(t)
	for _, c := range []*Conn{client, server} {
		if err := c.SetReadDeadline(time.Now().Add(50 * time.Millisecond)); err != nil {
			t.Fatal(err)
		}
		if n, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%d bytes, %v", n, err)
		}
	}
}

// TestAcceptedSocketsAreNotInherited: they lack CLOEXEC.
func TestAcceptedSocketsAreNotInherited(t *testing.T) {
	client, server := pair(t)
	for name, c := range map[string]*Conn{"client": client, "server": server} {
		err := c.control(func(fd int) error {
			flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
			if flags&unix.FD_CLOEXEC == 0 {
				t.Errorf("%s: flags %#x", name, flags)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

// TestAcceptedSocketsInheritOptions holds the kernel to it.
func TestAcceptedSocketsInheritOptions(t *testing.T) {
	client, server := pair(t)
	for name, c := range map[string]*Conn{"client": client, "server": server} {
		err := c.control(func(fd int) error {
			for _, o := range []struct {
				name int
				in   []byte
				want []byte
			}{
				{lib.SCTP_NODELAY, make([]byte, 4), []byte{1}},
				{lib.SCTP_RTOINFO, make([]byte, 16), structure(rtoInfo{Initial: 1000, Max: 2000, Min: 500})[4:]},
				{lib.SCTP_ASSOCINFO, make([]byte, 20), []byte{maxRetries}},
			} {
				got, err := getOption(fd, o.name, o.in)
				if err != nil || !strings.Contains(string(got), string(o.want)) {
					t.Errorf("%s: option %d is %x, %v", name, o.name, got, err)
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	}
}
