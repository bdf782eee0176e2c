// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"io"
	"net/netip"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weir-lb/weir/registrar/transport"
	"github.com/weir-lb/weir/registrar/transport/psk"
	"github.com/weir-lb/weir/registrar/wire"
)

// patience is far longer than anything here takes; only a fault waits it out.
const patience = 20 * time.Second

// process is a running weir pe and the lines of its stderr.
type process struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines chan string
}

func startPE(t *testing.T, at netip.AddrPort, change ...string) *process {
	t.Helper()
	args := peArgs(keyFile(t, "pe-1:"+testKey), append([]string{"--serve", "tcp://127.0.0.1:8080"}, change...)...)
	args[3] = at.String() // instead of the registrar in peArgs
	return startProcess(t, append([]string{"pe"}, args...)...)
}

func startProcess(t *testing.T, args ...string) *process {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	p := &process{t: t, cmd: exec.CommandContext(ctx, binary, args...), lines: make(chan string, 1000)}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go p.read(stderr)
	t.Cleanup(func() { cancel(); p.cmd.Wait() })
	return p
}

func (p *process) read(stderr io.Reader) {
	defer close(p.lines)
	for s := bufio.NewScanner(stderr); s.Scan(); {
		p.lines <- s.Text()
	}
}

// line waits for a line of stderr that contains part.
func (p *process) line(part string) string {
	p.t.Helper()
	var all []string
	for line := range p.lines {
		if strings.Contains(line, part) {
			return line
		}
		all = append(all, line)
	}
	p.t.Fatalf("stderr ended without %q:\n%s", part, strings.Join(all, "\n"))
	return ""
}

func (p *process) signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// status drains stderr and waits for the exit status.
func (p *process) status() int {
	for range p.lines {
	}
	p.cmd.Wait()
	return p.cmd.ProcessState.ExitCode()
}

// listen is a registrar that knows pe-1.
func listen(t *testing.T) *transport.Listener {
	t.Helper()
	keys, err := psk.LoadKeys(keyFile(t, "pe-1:"+testKey))
	if err != nil {
		t.Fatal(err)
	}
	l, err := transport.Listen(t.Context(), transport.ListenConfig{
		Addr: netip.MustParseAddrPort("127.0.0.1:0"), Keys: keys, HandshakeTimeout: patience,
		MaxUnauthenticated: 8, OnRefused: func(transport.Refusal) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func accept(t *testing.T, l *transport.Listener) *transport.Session {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	s, err := l.Accept(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// answer reads the request that must come next, and writes response.
func answer[M wire.Message](t *testing.T, s *transport.Session, response wire.Message) M {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	b, err := s.Read(ctx)
	if err != nil {
		t.Fatal(err)
	}
	m, err := wire.ParseASAP(b)
	if err != nil {
		t.Fatal(err)
	}
	request, ok := m.(M)
	if !ok {
		t.Fatalf("received %T, want %T", m, request)
	}
	if b, err = wire.AppendASAP(nil, response); err != nil {
		t.Fatal(err)
	}
	if err := s.Write(ctx, b); err != nil {
		t.Fatal(err)
	}
	return request
}

const processID = wire.PEID(0x00c0ffee)

var (
	granted = &wire.RegistrationResponse{Pool: "web", PE: processID}
	gone    = &wire.DeregistrationResponse{Pool: "web", PE: processID}
)

func TestPEProcessLeavesOnSIGTERM(t *testing.T) {
	l := listen(t)
	p := startPE(t, l.Addr(), "--id", "0x00c0ffee", "--drain", "0")
	s := accept(t, l)
	answer[*wire.Registration](t, s, granted)
	line := p.line("msg=registered")
	if want := "pool=web pe=0x00c0ffee registrar=" + l.Addr().String(); !strings.Contains(line, want) {
		t.Errorf("line %q has no %q", line, want)
	}
	p.signal(syscall.SIGHUP)
	answer[*wire.Registration](t, s, granted)
	p.signal(syscall.SIGTERM)
	answer[*wire.Deregistration](t, s, gone)
	p.line("msg=deregistered")
	if got := p.status(); got != 0 {
		t.Errorf("exit status %d, want 0", got)
	}
}

func TestPEProcessDrainsUntilTheSecondSignal(t *testing.T) {
	l := listen(t)
	p := startPE(t, l.Addr(), "--id", "0x00c0ffee", "--drain", "1h")
	s := accept(t, l)
	answer[*wire.Registration](t, s, granted)
	p.signal(syscall.SIGINT)
	answer[*wire.Deregistration](t, s, gone)
	p.line("msg=deregistered")
	p.signal(syscall.SIGINT)
	if got := p.status(); got != 0 {
		t.Errorf("exit status %d, want 0", got)
	}
}

func TestPEProcessFailsOnARejection(t *testing.T) {
	l := listen(t)
	p := startPE(t, l.Addr(), "--id", "0x00c0ffee")
	answer[*wire.Registration](t, accept(t, l), &wire.RegistrationResponse{Reject: true, Pool: "web", PE: processID,
		Causes: []wire.ErrorCause{{Code: wire.CauseSecurity}}})
	p.line("msg=rejected")
	line := p.line("weir pe:")
	want := "weir pe: registrar " + l.Addr().String() + ` rejected the registration in pool "web" (cause: rejected due to security considerations); ` +
		`grant identity "pe-1" this pool and the address 127.0.0.1:8080 in the registrar's configuration`
	if line != want {
		t.Errorf("got  %s\nwant %s", line, want)
	}
	if got := p.status(); got != 1 {
		t.Errorf("exit status %d, want 1", got)
	}
}

func TestPEProcessGivesUp(t *testing.T) {
	l := listen(t)
	l.Close()
	p := startPE(t, l.Addr(), "--attempts", "2")
	p.line("weir pe: gave up after 2 attempts to register: no connection: no registrar serves us: " + l.Addr().String() + ": ")
	if got := p.status(); got != 1 {
		t.Errorf("exit status %d, want 1", got)
	}
}

func TestPEProcessPlain(t *testing.T) {
	l, err := transport.Listen(t.Context(), transport.ListenConfig{Addr: netip.MustParseAddrPort("127.0.0.1:0"), Plain: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	p := startProcess(t, "pe", "--pool", "web", "--registrar", l.Addr().String(), "--plain", "--serve", "tcp://127.0.0.1:8080",
		"--id", "0x00c0ffee", "--policy", "lu", "--load", "exec:echo 25", "--drain", "0")
	p.line(`level=WARN msg="registering without TLS: neither end proves who it is"`)
	s := accept(t, l)
	r := answer[*wire.Registration](t, s, granted)
	if load, _ := r.Element.Policy.Load(); load != 0x40000000 {
		t.Errorf("load %#x, want a quarter", load)
	}
	p.line("msg=registered") // before that it would not register again
	p.signal(syscall.SIGHUP) // there are no keys to read again
	answer[*wire.Registration](t, s, granted)
	p.signal(syscall.SIGTERM)
	answer[*wire.Deregistration](t, s, gone)
	if got := p.status(); got != 0 {
		t.Errorf("exit status %d, want 0", got)
	}
}
