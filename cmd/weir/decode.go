// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/weir-lb/weir/agent/decode"
)

const decodeHelp = `
Usage: weir decode [--strict] FILE.pcap
       weir decode [--strict] -

Prints the ASAP and ENRP messages of a capture (pcap or pcapng; - is standard
input), one JSON object a line: frame number, time, source, destination,
transport, protocol, message type, and the message's fields by their RFC names
in snake_case. Identifiers and bytes are in hexadecimal; a pool handle that is
not printable text is also shown as its bytes.

It reads SCTP by payload protocol (ASAP 11, ENRP 12) with fragmented messages
put together; TCP on the ports 3863, 3864, 9901 and 9902; UDP on 3863 and 9901.
A message is of the frame that completes it. An SCTP message that was sent
again has "retransmission". TLS is not decrypted; standard error says how many
streams are encrypted. Standard input is read to its end: the first interrupt
is for the program that captures, the second one ends weir.

What is malformed is an object with "error": its reason, its RFC 5354 cause,
and its offset in the message, or, if "in" says so, in the packet from its
transport header on. Then it goes on. "to_report" of a good message is
what its receiver should answer with an ASAP_ERROR.

Exit status: 0 also if something was malformed, since that is the capture's
fault and not the tool's; --strict makes that 1. A file that is no capture, or
is truncated: 1, after what could be read.`

func runDecode(ctx context.Context, args []string, env env) error {
	fs := newFlags("decode", decodeHelp, env)
	strict := fs.Bool("strict", false, "exit with status 1 if anything in the capture is malformed")
	name, err := parseOneArg(fs, args, "FILE.pcap, or - for standard input,")
	if err != nil {
		return err
	}
	in, err := openCapture(name, env.stdin)
	if err != nil {
		return err
	}
	defer in.Close()
	stop := ctx.Done()
	if name == "-" {
		stop = env.again // an interrupt ends the capturing program of a pipe, too, whose last frames are yet to come
	}
	sum, stopped, err := decodeUntil(stop, in, env.stdout)
	switch {
	case stopped:
		return nil // what came so far is printed
	case err != nil:
		return fmt.Errorf("%s: %w", name, err)
	}
	if sum.Encrypted > 0 {
		fmt.Fprintf(env.stderr, "weir decode: %s: TCP streams not shown, because they are TLS: %d\n", name, sum.Encrypted)
	}
	if *strict && sum.Malformed > 0 {
		return fmt.Errorf("%s: malformed messages: %d", name, sum.Malformed)
	}
	return nil
}

func openCapture(name string, stdin io.Reader) (io.ReadCloser, error) {
	if name == "-" {
		return io.NopCloser(stdin), nil
	}
	return os.Open(name)
}

// decodeUntil gives up at stop. It does not wait for its goroutine then: nothing interrupts the read of a pipe or a terminal,
// and the process ends.
func decodeUntil(stop <-chan struct{}, r io.Reader, w io.Writer) (sum decode.Summary, stopped bool, err error) {
	done := make(chan struct{})
	var result decode.Summary
	var failure error
	go func() {
		defer close(done)
		result, failure = decode.Run(r, w)
	}()
	select {
	case <-stop:
		return sum, true, nil
	case <-done:
		return result, false, failure
	}
}
