// SPDX-License-Identifier: Apache-2.0

package nexthop

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"syscall"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// What golang.org/x/sys does not name, of linux/if_link.h, linux/ip.h, linux/ipv6.h, linux/fib_rules.h and
// linux/neighbour.h.
const (
	iflaInetConf        = 1 // IFLA_INET_CONF: numbers of 32 bits
	inetConfForwarding  = 0 // IPV4_DEVCONF_FORWARDING, counted from 1
	iflaInet6Conf       = 2 // IFLA_INET6_CONF
	inet6ConfForwarding = 0 // DEVCONF_FORWARDING
	inet6ConfMTU        = 2 // DEVCONF_MTU6
	actionToTable       = 1 // FR_ACT_TO_TBL
	noSuppression       = 0xffffffff
	ndaProtocol         = 12 // NDA_PROTOCOL
)

// attributes calls f with each attribute of a message whose fixed part has size bytes (netlink(7)).
func attributes(message []byte, size int, f func(kind uint16, value []byte)) error {
	if len(message) < size {
		return fmt.Errorf("a message of %d bytes, want at least %d", len(message), size)
	}
	for rest := message[size:]; len(rest) > 0; {
		if len(rest) < unix.SizeofRtAttr {
			return fmt.Errorf("a message ends with %d bytes that are no attribute", len(rest))
		}
		length, kind := int(binary.NativeEndian.Uint16(rest)), binary.NativeEndian.Uint16(rest[2:])
		if length < unix.SizeofRtAttr || length > len(rest) {
			return fmt.Errorf("an attribute of %d bytes where %d are left", length, len(rest))
		}
		f(kind&^(unix.NLA_F_NESTED|unix.NLA_F_NET_BYTEORDER), rest[unix.SizeofRtAttr:length])
		rest = rest[min((length+unix.RTA_ALIGNTO-1)&^(unix.RTA_ALIGNTO-1), len(rest)):]
	}
	return nil
}

// number is an attribute's value of 32 bits; 0 if it is shorter.
func number(value []byte) uint32 {
	if len(value) < 4 {
		return 0
	}
	return binary.NativeEndian.Uint32(value)
}

func numberAt(value []byte, index int) uint32 {
	return number(value[min(4*index, len(value)):])
}

// link is what matters of an interface.
type link struct {
	index              int
	name               string
	mac                [6]byte
	mtu, mtu6          uint32
	usable             bool // up, and Ethernet
	forwards, forward6 bool // what comes in there
}

// parseLink reads RTM_NEWLINK (rtnetlink(7)).
func parseLink(m []byte) (l link, err error) {
	err = attributes(m, unix.SizeofIfInfomsg, func(kind uint16, value []byte) {
		switch kind {
		case unix.IFLA_ADDRESS:
			copy(l.mac[:], value)
		case unix.IFLA_IFNAME:
			l.name = unix.ByteSliceToString(value)
		case unix.IFLA_MTU:
			l.mtu = number(value)
		case unix.IFLA_AF_SPEC:
			l.parseFamilies(value)
		}
	})
	if err == nil {
		l.index = int(int32(number(m[4:])))
		l.usable = binary.NativeEndian.Uint16(m[2:]) == unix.ARPHRD_ETHER && number(m[8:])&unix.IFF_UP != 0
	}
	return l, err
}

// parseFamilies reads what a link's message says of IPv4 and IPv6. A family that is missing forwards nothing.
func (l *link) parseFamilies(nested []byte) {
	_ = attributes(nested, 0, func(family uint16, of []byte) {
		_ = attributes(of, 0, func(kind uint16, value []byte) {
			switch {
			case family == unix.AF_INET && kind == iflaInetConf:
				l.forwards = numberAt(value, inetConfForwarding) != 0
			case family == unix.AF_INET6 && kind == iflaInet6Conf:
				l.forward6, l.mtu6 = numberAt(value, inet6ConfForwarding) != 0, numberAt(value, inet6ConfMTU)
			}
		})
	})
}

// route is one route of one table.
type route struct {
	prefix   netip.Prefix
	table    uint32
	priority uint32
	out      int        // interface
	via      netip.Addr // the zero value: the destination itself is the neighbour
	mtu      uint32
	locked   bool // the MTU
	special  bool // by type of service or by source, so that not every packet takes it; or learned for one destination
	plain    bool // leads to one next hop that is alive
}

// parseRoute reads RTM_NEWROUTE.
func parseRoute(m []byte) (r route, err error) {
	r.plain = true
	var dst netip.Addr
	err = attributes(m, unix.SizeofRtMsg, func(kind uint16, value []byte) {
		switch kind {
		case unix.RTA_DST:
			dst, _ = netip.AddrFromSlice(value)
		case unix.RTA_TABLE:
			r.table = number(value)
		case unix.RTA_PRIORITY:
			r.priority = number(value)
		case unix.RTA_OIF:
			r.out = int(number(value))
		case unix.RTA_GATEWAY:
			r.via, _ = netip.AddrFromSlice(value)
		case unix.RTA_VIA: // of another family: its number in 16 bits, and the address
			r.via, _ = netip.AddrFromSlice(value[min(2, len(value)):])
		case unix.RTA_METRICS:
			r.parseMetrics(value)
		case unix.RTA_CACHEINFO: // struct rta_cacheinfo; the third number is when it expires
			r.plain = r.plain && numberAt(value, 2) == 0
		case unix.RTA_MULTIPATH, unix.RTA_ENCAP, unix.RTA_ENCAP_TYPE, unix.RTA_NEWDST:
			r.plain = false
		}
	})
	if err != nil {
		return r, err
	}
	return r, r.parseHead(m, dst)
}

// parseHead reads struct rtmsg.
func (r *route) parseHead(m []byte, dst netip.Addr) (err error) {
	family, bits, sourceBits, tos, kind, flags := m[0], m[1], m[2], m[3], m[7], number(m[8:])
	if !dst.IsValid() {
		dst = netip.IPv4Unspecified()
		if family == unix.AF_INET6 {
			dst = netip.IPv6Unspecified()
		}
	}
	if r.prefix, err = dst.Prefix(int(bits)); err != nil {
		return fmt.Errorf("a route to %s/%d: %w", dst, bits, err)
	}
	const dead = unix.RTNH_F_DEAD | unix.RTNH_F_LINKDOWN | unix.RTNH_F_UNRESOLVED
	r.special = tos != 0 || sourceBits != 0 || flags&unix.RTM_F_CLONED != 0
	r.plain = r.plain && kind == unix.RTN_UNICAST && flags&dead == 0 && r.out != 0
	return nil
}

func (r *route) parseMetrics(nested []byte) {
	_ = attributes(nested, 0, func(kind uint16, value []byte) {
		switch kind {
		case unix.RTAX_MTU:
			r.mtu = number(value)
		case unix.RTAX_LOCK:
			r.locked = number(value)&(1<<unix.RTAX_MTU) != 0
		}
	})
}

// rule is one of the rules by which the kernel chooses a table.
type rule struct {
	priority, table uint32
	plain           bool // for all packets, and without conditions
}

// parseRule reads RTM_NEWRULE: struct fib_rule_hdr, and the attributes of linux/fib_rules.h.
func parseRule(m []byte) (r rule, err error) {
	r.plain = true
	err = attributes(m, unix.SizeofRtMsg, func(kind uint16, value []byte) {
		switch kind {
		case unix.FRA_PRIORITY:
			r.priority = number(value)
		case unix.FRA_TABLE:
			r.table = number(value)
		case unix.FRA_PROTOCOL:
		case unix.FRA_SUPPRESS_PREFIXLEN:
			r.plain = r.plain && number(value) == noSuppression
		default:
			r.plain = false
		}
	})
	if err == nil {
		bits, sourceBits, tos, action, flags := m[1], m[2], m[3], m[7], number(m[8:])
		r.plain = r.plain && bits == 0 && sourceBits == 0 && tos == 0 && action == actionToTable && flags == 0
	}
	return r, err
}

// target is a neighbour: an address behind an interface.
type target struct {
	out  int
	addr netip.Addr
}

// neighbor is what the kernel knows of one.
type neighbor struct {
	state    uint16 // NUD_*
	mac      [6]byte
	managed  bool // the kernel resolves it by itself
	learned  bool // another program answers for it
	protocol uint8
}

// resolved says that packets can be sent to it.
func (n neighbor) resolved() bool {
	const valid = unix.NUD_PERMANENT | unix.NUD_NOARP | unix.NUD_REACHABLE | unix.NUD_PROBE | unix.NUD_STALE | unix.NUD_DELAY
	return n.state&valid != 0
}

// fixed says that it is not ours to manage.
func (n neighbor) fixed() bool {
	return n.learned || n.state&(unix.NUD_PERMANENT|unix.NUD_NOARP) != 0
}

// parseNeighbor reads RTM_NEWNEIGH or RTM_DELNEIGH: struct ndmsg. The target has no address if it is not
// one of IP, or of a proxy.
func parseNeighbor(m []byte) (t target, n neighbor, err error) {
	var extended uint32
	err = attributes(m, unix.SizeofNdMsg, func(kind uint16, value []byte) {
		switch kind {
		case netlink.NDA_DST:
			t.addr, _ = netip.AddrFromSlice(value)
		case netlink.NDA_LLADDR:
			copy(n.mac[:], value)
		case ndaProtocol:
			if len(value) > 0 {
				n.protocol = value[0]
			}
		case netlink.NDA_FLAGS_EXT:
			extended = number(value)
		}
	})
	if err != nil {
		return t, n, err
	}
	family, flags := m[0], m[10]
	t.out, n.state = int(int32(number(m[4:]))), binary.NativeEndian.Uint16(m[8:])
	n.managed, n.learned = extended&netlink.NTF_EXT_MANAGED != 0, flags&netlink.NTF_EXT_LEARNED != 0
	if family != unix.AF_INET && family != unix.AF_INET6 || flags&netlink.NTF_PROXY != 0 {
		t.addr = netip.Addr{}
	}
	return t, n, nil
}

// isNeighbor tells the messages of neighbours from all others.
func isNeighbor(m syscall.NetlinkMessage) bool {
	return m.Header.Type == unix.RTM_NEWNEIGH || m.Header.Type == unix.RTM_DELNEIGH
}
