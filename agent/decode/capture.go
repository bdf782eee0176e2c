// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/gopacket/gopacket"
	"github.com/gopacket/gopacket/layers"
	"github.com/gopacket/gopacket/pcapgo"
)

// maxFrame is the most bytes of a frame in a pcap file: libpcap's own limit. What is longer is a damaged file.
const maxFrame = 262144

// capture is a capture file that is being read.
type capture struct {
	packets gopacket.PacketDataSource
	link    func(gopacket.CaptureInfo) layers.LinkType
}

// openCapture reads the header of a pcap or pcapng file.
func openCapture(r io.Reader) (capture, error) {
	b := bufio.NewReader(r)
	magic, err := b.Peek(4)
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return capture{}, fmt.Errorf("read the capture: %w", err)
	case len(magic) == 0:
		return capture{}, errors.New("the capture is empty, not even a header")
	case len(magic) < 4:
		return capture{}, errNoCapture
	}
	switch binary.BigEndian.Uint32(magic) {
	case 0x0a0d0d0a:
		return openNG(b)
	case 0xa1b2c3d4, 0xd4c3b2a1, 0xa1b23c4d, 0x4d3cb2a1:
		return openPcap(b)
	}
	return capture{}, errNoCapture
}

var errNoCapture = errors.New("neither a pcap nor a pcapng file")

func openPcap(r io.Reader) (capture, error) {
	p, err := pcapgo.NewReader(r)
	if err != nil {
		return capture{}, headerError("pcap", err)
	}
	p.SetSnaplen(min(p.Snaplen(), maxFrame))
	link := p.LinkType()
	return capture{p, func(gopacket.CaptureInfo) layers.LinkType { return link }}, nil
}

// openNG takes files whose interfaces have different link types, too.
func openNG(r io.Reader) (capture, error) {
	ng, err := pcapgo.NewNgReader(r, pcapgo.NgReaderOptions{WantMixedLinkType: true, SkipUnknownVersion: true})
	if err != nil {
		return capture{}, headerError("pcapng", err)
	}
	return capture{ng, func(ci gopacket.CaptureInfo) layers.LinkType {
		link, _ := ci.AncillaryData[0].(layers.LinkType)
		return link
	}}, nil
}

func headerError(format string, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the capture ends within its %s header", format)
	}
	return fmt.Errorf("bad %s header: %w", format, err)
}

// next reads frame number n. io.EOF is the file's regular end.
func (c capture) next(n int) ([]byte, gopacket.CaptureInfo, error) {
	b, ci, err := c.packets.ReadPacketData()
	switch {
	case err == nil:
		return b, ci, nil
	case errors.Is(err, io.EOF) && ci.CaptureLength == 0:
		return nil, ci, io.EOF
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return nil, ci, fmt.Errorf("the capture is truncated: it ends within frame %d", n)
	}
	return nil, ci, fmt.Errorf("the capture is damaged at frame %d: %w", n, err)
}
