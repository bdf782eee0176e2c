// SPDX-License-Identifier: Apache-2.0

package nexthop

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// maxRoutes is how many routes of a family are read. With more, the kernel is asked for every packet.
const maxRoutes = 16384

// tables is what the kernel has, as it says it.
type tables struct {
	links   map[int]link
	rules   map[uint8][]rule // by family
	v4, v6  []route          // of the kernel's own and the main table
	pathMTU bool             // a route's MTU counts for packets that are forwarded
}

// kernel asks questions, on a socket of its own. It is for one goroutine.
type kernel struct {
	socket  *nl.SocketHandle
	pathMTU *os.File // the setting net.ipv4.ip_forward_use_pmtu
}

func openKernel() (*kernel, error) {
	socket, err := nl.Subscribe(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open a netlink socket: %w", err)
	}
	if err := socket.SetReceiveTimeout(&nl.SocketTimeoutTv); err != nil {
		return nil, err
	}
	pathMTU, err := os.Open("/proc/sys/net/ipv4/ip_forward_use_pmtu")
	if err != nil {
		socket.Close()
		return nil, fmt.Errorf("open a setting of the kernel: %w", err)
	}
	return &kernel{socket: &nl.SocketHandle{Socket: socket}, pathMTU: pathMTU}, nil
}

func (k *kernel) Close() error {
	k.socket.Close()
	return k.pathMTU.Close()
}

// request sends a message, and reads the answers of one type; 0: there is none but its success.
func (k *kernel) request(kind uint16, flags int, body []byte, answer uint16, f func([]byte) error) error {
	r := nl.NewNetlinkRequest(int(kind), flags)
	r.Sockets = map[int]*nl.SocketHandle{unix.NETLINK_ROUTE: k.socket}
	r.AddRawData(body)
	var wrong error
	err := r.ExecuteIter(unix.NETLINK_ROUTE, answer, func(m []byte) bool {
		wrong = f(m)
		return wrong == nil
	})
	return errors.Join(err, wrong)
}

// dump reads all of a family that the kernel has of a kind; the answers are the kind before the request's.
func (k *kernel) dump(get uint16, family uint8, head int, f func([]byte) error) error {
	body := make([]byte, head)
	body[0] = family
	return k.request(get, unix.NLM_F_DUMP, body, get-2, f)
}

// read reads everything that next hops follow from, but neighbours.
func (k *kernel) read() (t tables, err error) {
	t.links, t.rules = map[int]link{}, map[uint8][]rule{}
	err = k.dump(unix.RTM_GETLINK, unix.AF_UNSPEC, unix.SizeofIfInfomsg, func(m []byte) error {
		l, err := parseLink(m)
		t.links[l.index] = l
		return err
	})
	if err != nil {
		return t, fmt.Errorf("list the interfaces: %w", err)
	}
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		err := k.dump(unix.RTM_GETRULE, family, unix.SizeofRtMsg, func(m []byte) error {
			r, err := parseRule(m)
			t.rules[family] = append(t.rules[family], r)
			return err
		})
		if err != nil && !errors.Is(err, unix.EOPNOTSUPP) && !errors.Is(err, unix.EAFNOSUPPORT) {
			return t, fmt.Errorf("list the routing rules: %w", err)
		}
	}
	if t.v4, err = k.routes(unix.AF_INET); err != nil {
		return t, err
	}
	if t.v6, err = k.routes(unix.AF_INET6); err != nil {
		return t, err
	}
	var value [1]byte
	if _, err := k.pathMTU.ReadAt(value[:], 0); err != nil && !errors.Is(err, io.EOF) {
		return t, fmt.Errorf("read a setting of the kernel: %w", err)
	}
	t.pathMTU = value[0] != '0'
	return t, nil
}

// routes are those of the kernel's own and of the main table; none if there are too many.
func (k *kernel) routes(family uint8) (list []route, err error) {
	many := false
	err = k.dump(unix.RTM_GETROUTE, family, unix.SizeofRtMsg, func(m []byte) error {
		r, err := parseRoute(m)
		if many = many || len(list) == maxRoutes; many || err != nil {
			return err
		}
		if r.table == unix.RT_TABLE_MAIN || r.table == unix.RT_TABLE_LOCAL {
			list = append(list, r)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the routes: %w", err)
	}
	if many {
		return nil, nil
	}
	return list, nil
}

// neighbors reads all neighbours behind our interfaces.
func (k *kernel) neighbors(ours map[int]bool) (map[target]neighbor, error) {
	all := map[target]neighbor{}
	err := k.dump(unix.RTM_GETNEIGH, unix.AF_UNSPEC, unix.SizeofNdMsg, func(m []byte) error {
		t, n, err := parseNeighbor(m)
		if t.addr.IsValid() && ours[t.out] {
			all[t] = n
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the neighbours: %w", err)
	}
	return all, nil
}
