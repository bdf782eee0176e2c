// SPDX-License-Identifier: Apache-2.0

package traffic

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/weir-lb/weir/registrar/wire"
)

// Flooded is what a flood came to.
type Flooded struct {
	Sent uint64 `json:"sent"`
}

// maxFlood bounds every flood, whatever its flags say.
const maxFlood = 30 * time.Second

type floodConfig struct {
	target netip.AddrPort
	iface  string
	rate   int // packets a second
	last   time.Duration
}

// flood sends registration attempts at the given rate: SYNs, and segments that carry an
// ASAP_REGISTRATION, from random spoofed sources and from the interface's own address.
func flood(ctx context.Context, cfg floodConfig) (sent uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, min(cfg.last, maxFlood))
	defer cancel()
	frame, err := newAttempt(ctx, cfg)
	if err != nil {
		return 0, err
	}
	fd, err := packetSocket(cfg.iface)
	if err != nil {
		return 0, err
	}
	defer unix.Close(fd)
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	began := time.Now()
	for ; ; sent++ {
		// The clock and the context are looked at once in a while, not once a packet.
		if sent%burst == 0 {
			ahead := time.Duration(sent)*time.Second/time.Duration(cfg.rate) - time.Since(began)
			select {
			case <-ctx.Done():
				return sent, nil
			case <-time.After(max(0, ahead)):
			}
		}
		if _, err := unix.Write(fd, frame.next()); err != nil && err != unix.ENOBUFS {
			return sent, fmt.Errorf("send packet %d: %w", sent, err)
		}
	}
}

const burst = 64

// packetSocket sends whole frames from an interface, past its queueing discipline.
func packetSocket(name string) (int, error) {
	iface, err := net.InterfaceByName(name)
	if err != nil {
		return 0, err
	}
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("open a packet socket: %w", err)
	}
	if err := unix.SetsockoptInt(fd, unix.SOL_PACKET, unix.PACKET_QDISC_BYPASS, 1); err != nil {
		return 0, fmt.Errorf("bypass the queueing discipline: %w", err)
	}
	return fd, unix.Bind(fd, &unix.SockaddrLinklayer{Ifindex: iface.Index})
}

const (
	ethLen = 14
	ipLen  = 20
	tcpLen = 20
)

// attempt is the frame that is rewritten for every packet.
type attempt struct {
	frame   []byte
	own     [4]byte
	turn    int
	payload []byte
	random  *rand.Rand
}

func newAttempt(ctx context.Context, cfg floodConfig) (*attempt, error) {
	iface, err := net.InterfaceByName(cfg.iface)
	if err != nil {
		return nil, err
	}
	own, err := ownAddress(iface)
	if err != nil {
		return nil, err
	}
	gateway, err := gatewayMAC(ctx, cfg.target)
	if err != nil {
		return nil, err
	}
	payload, err := registration(own)
	if err != nil {
		return nil, err
	}
	return attemptFrom(iface, gateway, own, cfg.target, payload), nil
}

// attemptFrom writes what all packets share: from iface, whose address is own, by way of gateway.
func attemptFrom(iface *net.Interface, gateway net.HardwareAddr, own netip.Addr, target netip.AddrPort, payload []byte) *attempt {
	a := &attempt{frame: make([]byte, ethLen+ipLen+tcpLen, ethLen+ipLen+tcpLen+len(payload)), own: own.As4(),
		payload: payload, random: rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))}
	copy(a.frame, gateway)
	copy(a.frame[6:], iface.HardwareAddr)
	a.frame[12] = 0x08 // IPv4
	ip, tcp := a.frame[ethLen:], a.frame[ethLen+ipLen:]
	ip[0], ip[8], ip[9] = 0x45, 64, unix.IPPROTO_TCP
	dst := target.Addr().As4()
	copy(ip[16:], dst[:])
	binary.BigEndian.PutUint16(tcp[2:], target.Port())
	tcp[12] = tcpLen / 4 << 4
	binary.BigEndian.PutUint16(tcp[14:], 0xffff)
	return a
}

// registration is what the segments carry: a well-formed ASAP_REGISTRATION without any proof.
func registration(addr netip.Addr) ([]byte, error) {
	return wire.AppendASAP(nil, &wire.Registration{Pool: "web", Element: wire.PoolElement{
		ID: 0xbad, Life: -1, Policy: wire.RoundRobin(),
		User: wire.Transport{Protocol: wire.ProtocolTCP, Port: 8080, Addrs: []netip.Addr{addr}},
	}})
}

const (
	flagSYN = 0x02
	flagPSH = 0x08
	flagACK = 0x10
)

// next rewrites the frame: of five packets two are spoofed SYNs, one a spoofed segment with data, one a
// SYN and one a segment with data from the interface's own address.
func (a *attempt) next() []byte {
	a.turn++
	kind := a.turn % 5
	data := kind == 2 || kind == 4
	frame := a.frame[:ethLen+ipLen+tcpLen]
	if data {
		frame = append(frame, a.payload...)
	}
	ip, tcp := frame[ethLen:ethLen+ipLen], frame[ethLen+ipLen:]
	if kind < 3 {
		binary.BigEndian.PutUint32(ip[12:], a.random.Uint32()%0xdf000000+0x01000000)
	} else {
		copy(ip[12:], a.own[:])
	}
	binary.BigEndian.PutUint16(ip[2:], uint16(len(frame)-ethLen))
	binary.BigEndian.PutUint16(tcp, uint16(1024+a.random.Uint32()%64000))
	binary.BigEndian.PutUint64(tcp[4:], a.random.Uint64())
	tcp[13] = flagSYN
	if data {
		tcp[13] = flagPSH | flagACK
	} else {
		binary.BigEndian.PutUint32(tcp[8:], 0)
	}
	seal(ip, tcp)
	return frame
}

// seal computes both checksums (RFC 1071).
func seal(ip, tcp []byte) {
	binary.BigEndian.PutUint16(ip[10:], 0)
	binary.BigEndian.PutUint16(ip[10:], fold(words(ip)))
	binary.BigEndian.PutUint16(tcp[16:], 0)
	pseudo := words(ip[12:20]) + unix.IPPROTO_TCP + uint32(len(tcp))
	binary.BigEndian.PutUint16(tcp[16:], fold(pseudo+words(tcp)))
}

func words(b []byte) (sum uint32) {
	for ; len(b) > 1; b = b[2:] {
		sum += uint32(binary.BigEndian.Uint16(b))
	}
	if len(b) == 1 {
		sum += uint32(b[0]) << 8
	}
	return sum
}

func fold(sum uint32) uint16 {
	for sum > 0xffff {
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}
