// SPDX-License-Identifier: Apache-2.0

package decode

import (
	"bufio"
	"errors"
	"io"
	"net/netip"
	"time"
)

// Summary counts what a capture had.
type Summary struct {
	Frames    int // of any kind
	Messages  int // well-formed ones
	Malformed int // lines with an error
	Encrypted int // TCP streams of TLS, one for each direction, of which nothing can be shown
}

// Run reads a pcap or pcapng file from r and writes its messages to w, a JSON object a line. What is malformed in a frame
// is a line, and counted. Errors: r is no capture, or ends within a frame, or has a link type that is not supported; r or w
// fails. Lines of what came before the error are written.
func Run(r io.Reader, w io.Writer) (Summary, error) {
	out := bufio.NewWriter(w)
	d := newDecoder(out)
	err := d.run(r)
	d.flush()
	d.show()
	if err == nil {
		err = d.writeErr
	}
	return d.sum, err
}

// origin is where something was found: the frame that completed it.
type origin struct {
	frame     int // counted from 1
	at        time.Time
	src, dst  netip.AddrPort
	transport string // "sctp", "tcp" or "udp"
}

type decoder struct {
	out      *bufio.Writer
	writeErr error // the first; nothing is written after it
	sum      Summary

	headers *headers
	sctp    associations
	tcp     streams
	waiting int // bytes that wait in sctp and tcp
}

// What may wait for its other parts: more than any real capture needs.
const (
	maxWaiting = 16 << 20
	maxFlows   = 1 << 16 // of SCTP and of TCP each
)

func newDecoder(out *bufio.Writer) *decoder {
	return &decoder{
		out:     out,
		headers: newHeaders(),
		sctp:    associations{byTag: map[tagKey]*association{}},
		tcp:     streams{byAddr: map[streamKey]*stream{}},
	}
}

func (d *decoder) run(r io.Reader) error {
	c, err := openCapture(r)
	if err != nil {
		return err
	}
	for d.writeErr == nil {
		b, ci, err := c.next(d.sum.Frames + 1)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		d.sum.Frames++
		if err := d.frame(c.link(ci), b, ci.Timestamp); err != nil {
			return err
		}
		d.show()
		if d.waiting > maxWaiting || len(d.sctp.byTag) > maxFlows || len(d.tcp.byAddr) > maxFlows {
			d.flush()
		}
	}
	return nil
}

// show lets the lines of a frame be seen at once, for a capture that is still going on.
func (d *decoder) show() {
	if d.writeErr == nil {
		d.writeErr = d.out.Flush()
	}
}

// flush gives up all that waits, each incomplete thing in a line.
func (d *decoder) flush() {
	for _, a := range d.sctp.inOrder {
		d.giveUpFragments(a)
	}
	for _, s := range d.tcp.inOrder {
		d.endStream(s)
	}
	d.sctp = associations{byTag: map[tagKey]*association{}}
	d.tcp = streams{byAddr: map[streamKey]*stream{}}
	d.waiting = 0
}
