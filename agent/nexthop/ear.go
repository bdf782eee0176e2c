// SPDX-License-Identifier: Apache-2.0

package nexthop

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// ear hears what changes. The kernel's queue for it is bounded, and so is ours, which makes that one wait;
// what does not fit is lost, and then said to be.
type ear struct {
	socket *nl.NetlinkSocket
	heard  chan heard
}

// heard is what came at once. When something was lost, everything is to be read again.
type heard struct {
	messages []syscall.NetlinkMessage
	lost     bool
}

const (
	earQueue  = 16
	earBuffer = 4 << 20 // bytes in the kernel
)

func openEar() (*ear, error) {
	socket, err := nl.Subscribe(unix.NETLINK_ROUTE,
		unix.RTNLGRP_LINK, unix.RTNLGRP_NEIGH, unix.RTNLGRP_NEXTHOP,
		unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV4_RULE, unix.RTNLGRP_IPV4_NETCONF,
		unix.RTNLGRP_IPV6_IFADDR, unix.RTNLGRP_IPV6_ROUTE, unix.RTNLGRP_IPV6_RULE, unix.RTNLGRP_IPV6_NETCONF,
		unix.RTNLGRP_IPV6_IFINFO)
	if err != nil {
		return nil, fmt.Errorf("subscribe to the kernel's routes and neighbours: %w", err)
	}
	if err := socket.SetReceiveBufferSize(earBuffer, true); err != nil {
		socket.Close()
		return nil, fmt.Errorf("size the queue of a netlink socket: %w", err)
	}
	return &ear{socket: socket, heard: make(chan heard, earQueue)}, nil
}

// Close ends listen.
func (e *ear) Close() { e.socket.Close() }

// listen passes on what it hears until ctx ends, and then the socket is closed. A socket whose queue was full
// stays subscribed.
func (e *ear) listen(ctx context.Context) {
	for {
		var h heard
		messages, _, err := e.socket.Receive()
		switch {
		case err == nil:
			h.messages = messages
		case errors.Is(err, unix.ENOBUFS):
			h.lost = true
		default:
			h.lost = true
			if !pause(ctx, time.Second) {
				return
			}
		}
		select {
		case e.heard <- h:
		case <-ctx.Done():
			return
		}
	}
}

// pause waits unless ctx ends first.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
