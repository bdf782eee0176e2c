// SPDX-License-Identifier: Apache-2.0

package transport

import (
	"bytes"
	"errors"
	"io"
	"os"
	"slices"
	"testing"
)

// pieces reads a stream in the pieces given, with an error that passes between
// any two of them, as a deadline makes it.
type pieces struct {
	parts [][]byte
	pause bool
	end   error
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.parts) == 0 {
		return 0, p.end
	}
	if p.pause = !p.pause; p.pause {
		return 0, os.ErrDeadlineExceeded
	}
	n := copy(b, p.parts[0])
	if p.parts[0] = p.parts[0][n:]; len(p.parts[0]) == 0 {
		p.parts = p.parts[1:]
	}
	return n, nil
}

// drain reads all messages, whatever passes meanwhile.
func drain(r io.Reader) (msgs [][]byte, err error) {
	frames := frameReader{r: r}
	for {
		msg, err := frames.next()
		switch {
		case err == nil:
			msgs = append(msgs, msg)
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return msgs, err
		}
	}
}

// Three messages on a stream, as RFC 5354 2 lays it out: lengths 4, 6 and 9, the
// second and third padded to 8 and 12.
var (
	three = []byte{
		7, 1, 0, 4,
		1, 0, 0, 6, 0xaa, 0xbb, 0, 0,
		5, 0, 0, 9, 1, 2, 3, 4, 5, 0xff, 0xff, 0xff,
	}
	inThree = [][]byte{three[0:4], three[4:10], three[12:21]}
)

func TestEverySplitOfAStream(t *testing.T) {
	for i := 0; i <= len(three); i++ {
		for j := i; j <= len(three); j++ {
			var parts [][]byte
			for _, part := range [][]byte{three[:i], three[i:j], three[j:]} {
				if len(part) > 0 {
					parts = append(parts, part)
				}
			}
			msgs, err := drain(&pieces{parts: parts, end: io.EOF})
			if !errors.Is(err, io.EOF) || !slices.EqualFunc(msgs, inThree, bytes.Equal) {
				t.Fatalf("split at %d and %d: %x, %v", i, j, msgs, err)
			}
		}
	}
	single := &pieces{end: io.EOF}
	for i := range three {
		single.parts = append(single.parts, three[i:i+1])
	}
	if msgs, err := drain(single); !errors.Is(err, io.EOF) || !slices.EqualFunc(msgs, inThree, bytes.Equal) {
		t.Fatalf("byte by byte: %x, %v", msgs, err)
	}
}

func TestEveryTruncationOfAStream(t *testing.T) {
	for n := range three {
		msgs, err := drain(bytes.NewReader(three[:n]))
		want, whole := io.ErrUnexpectedEOF, 0
		switch n {
		case 0, 4, 12: // between messages
			want = io.EOF
		}
		for _, end := range []int{4, 10, 21} {
			if n >= end {
				whole++
			}
		}
		if !errors.Is(err, want) || len(msgs) != whole {
			t.Errorf("after %d bytes: %d messages, %v; want %d, %v", n, len(msgs), err, whole, want)
		}
	}
}

func TestMessageComesBeforeItsPadding(t *testing.T) {
	r, w := io.Pipe()
	defer w.Close()
	go w.Write([]byte{1, 0, 0, 5, 9}) // and no padding yet
	frames := frameReader{r: r}
	if msg, err := frames.next(); err != nil || !bytes.Equal(msg, []byte{1, 0, 0, 5, 9}) {
		t.Errorf("%x, %v", msg, err)
	}
}

func TestLengthBelowTheHeader(t *testing.T) {
	for n := range byte(4) {
		if _, err := drain(bytes.NewReader([]byte{1, 0, 0, n, 1, 2, 3, 4})); !errors.Is(err, errFrame) {
			t.Errorf("length %d: %v", n, err)
		}
	}
}

func TestPadded(t *testing.T) {
	for _, tc := range []struct {
		name      string
		msg, want []byte
	}{
		{"header", []byte{1, 0, 0, 4}, []byte{1, 0, 0, 4}},
		{"to be padded", []byte{1, 0, 0, 5, 9}, []byte{1, 0, 0, 5, 9, 0, 0, 0}},
		{"padded already", []byte{1, 0, 0, 6, 9, 9, 0, 0}, []byte{1, 0, 0, 6, 9, 9, 0, 0}},
		{"empty", nil, nil},
		{"half a header", []byte{1, 0, 0}, nil},
		{"a length of zero", []byte{1, 0, 0, 0}, nil},
		{"a length of three", []byte{1, 0, 0, 3}, nil},
		{"shorter than it says", []byte{1, 0, 0, 6, 9}, nil},
		{"longer than it says", []byte{1, 0, 0, 4, 9}, nil},
		{"two messages", []byte{1, 0, 0, 4, 1, 0, 0, 4}, nil},
	} {
		got, err := padded(tc.msg)
		if !bytes.Equal(got, tc.want) || (err == nil) != (tc.want != nil) {
			t.Errorf("%s: %x, %v, want %x", tc.name, got, err, tc.want)
		}
	}
	if got, err := padded(message(65535)); err != nil || len(got) != 65536 || got[65535] != 0 {
		t.Errorf("the longest message: %d bytes, %v", len(got), err)
	}
}

// FuzzFrames compares with a reader that has the whole stream before it.
func FuzzFrames(f *testing.F) {
	f.Add(three, uint8(3))
	f.Add([]byte{1, 0, 0, 3}, uint8(1))
	f.Add([]byte{1, 0, 0xff, 0xff, 1}, uint8(2))
	f.Fuzz(func(t *testing.T, stream []byte, size uint8) {
		r := &pieces{end: io.EOF, parts: slices.Collect(slices.Chunk(stream, int(size%16)+1))}
		msgs, err := drain(r)
		want, wantErr := cut(stream)
		if !slices.EqualFunc(msgs, want, bytes.Equal) || !errors.Is(err, wantErr) {
			t.Fatalf("%x, %v, want %x, %v", msgs, err, want, wantErr)
		}
	})
}

func cut(stream []byte) (msgs [][]byte, err error) {
	for len(stream) >= 4 {
		n := int(stream[2])*256 + int(stream[3])
		if n < 4 {
			return msgs, errFrame
		}
		if n > len(stream) {
			return msgs, io.ErrUnexpectedEOF
		}
		msgs = append(msgs, stream[:n])
		next := (n + 3) / 4 * 4
		if next > len(stream) {
			return msgs, io.ErrUnexpectedEOF
		}
		stream = stream[next:]
	}
	if len(stream) > 0 {
		return msgs, io.ErrUnexpectedEOF
	}
	return msgs, io.EOF
}
