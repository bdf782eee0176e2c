// SPDX-License-Identifier: Apache-2.0

package link

import (
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
)

// fake is a session that takes a message only when the test wants it.
type fake struct {
	in, out chan []byte // the end of in is the session's
	failing chan error
	closed  bool
}

func newFake() *fake {
	return &fake{in: make(chan []byte), out: make(chan []byte), failing: make(chan error)}
}

func (f *fake) Read(ctx context.Context) ([]byte, error) {
	select {
	case b, ok := <-f.in:
		if !ok {
			return nil, io.EOF
		}
		return b, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (f *fake) Write(ctx context.Context, b []byte) error {
	select {
	case f.out <- b:
		return nil
	case err := <-f.failing:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (f *fake) Close() error {
	f.closed = true
	return nil
}

func TestLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, reports := newFake(), make(chan Report)
		l := Start(t.Context(), 7, nil, s, 2, reports)
		s.in <- []byte("first")
		if r := <-reports; r.Via != 7 || string(r.Data) != "first" || r.Err != nil {
			t.Errorf("report %+v", r)
		}
		for i, want := range []bool{true, true, true, false} { // one is being written, two wait
			synctest.Wait()
			if got := l.Send([]byte{byte(i)}); got != want {
				t.Errorf("message %d is taken: %v", i, got)
			}
		}
		for i := range 3 {
			if b := <-s.out; b[0] != byte(i) {
				t.Errorf("message %d is %v", i, b)
			}
		}
		close(s.in)
		if r := <-reports; !errors.Is(r.Err, io.EOF) {
			t.Errorf("report %+v", r)
		}
		l.Close()
		if !s.closed {
			t.Error("the session is open")
		}
	})
}

func TestWhatCannotBeWrittenIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, reports, broken := newFake(), make(chan Report), errors.New("broken")
		l := Start(t.Context(), 7, nil, s, 2, reports)
		l.Send([]byte("x"))
		s.failing <- broken
		if r := <-reports; r.Via != 7 || !errors.Is(r.Err, broken) {
			t.Errorf("report %+v", r)
		}
		l.Close()
	})
}

// A loop that closes a link is not listening to it.
func TestNothingIsReportedAfterClose(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, reports := newFake(), make(chan Report)
		l := Start(t.Context(), 7, nil, s, 2, reports)
		s.in <- []byte("unheard")
		synctest.Wait()
		l.Close()
		select {
		case r := <-reports:
			t.Errorf("report %+v", r)
		default:
		}
	})
}
