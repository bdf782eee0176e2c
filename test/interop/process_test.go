// SPDX-License-Identifier: Apache-2.0

package interop

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/weir-lb/weir/test/lab"
)

// patience is how long anything may take that is awaited: an emulated machine is slow.
const patience = 2 * time.Minute

// program is a running program, and what it said.
type program struct {
	*output
	t       *testing.T
	name    string
	process *lab.Process
}

// start starts a program on the host. It is killed at the end of the test.
func (h *host) start(name string, args ...string) *program {
	h.network.t.Helper()
	return h.startWith(nil, name, args...)
}

// startWith gives it a standard input.
func (h *host) startWith(stdin *os.File, name string, args ...string) *program {
	n := h.network
	n.t.Helper()
	file, err := os.Create(filepath.Join(n.dir, h.name+"-"+name+".log"))
	n.must(err)
	p := &program{output: newOutput(file), t: n.t, name: name + " on " + h.name}
	cmd := exec.Command(name, args...)
	cmd.Stdout, cmd.Stderr = p.output, p.output
	if stdin != nil {
		cmd.Stdin = stdin
	}
	p.process, err = h.node.Start(cmd)
	n.must(err)
	return p
}

// await waits until the program has said text since the last await.
func (p *program) await(text string) {
	p.t.Helper()
	if _, ok := p.next(text, p.process.Done(), patience); !ok {
		p.t.Fatalf("%s did not say %q; it said:\n%s", p.name, text, p.tail())
	}
}

// kill ends the program without a word to anyone; the kernel closes its associations.
func (p *program) kill() {
	p.t.Helper()
	if err := p.process.Kill(); err != nil {
		p.t.Fatal(err)
	}
	<-p.process.Done()
}

// interrupt asks the program to leave, and waits until it has.
func (p *program) interrupt() {
	p.t.Helper()
	if err := p.process.Signal(syscall.SIGINT); err != nil {
		p.t.Fatal(err)
	}
	select {
	case <-p.process.Done():
	case <-time.After(patience):
		p.t.Fatalf("%s does not end; it said:\n%s", p.name, p.tail())
	}
}

// output keeps what a program says, and wakes who waits for it.
type output struct {
	file *os.File

	mu    sync.Mutex
	said  []byte
	read  int           // how far await has got
	grown chan struct{} // closed at the next Write
}

func newOutput(file *os.File) *output { return &output{file: file, grown: make(chan struct{})} }

// Write takes what the program says. Only one goroutine of exec.Cmd calls it.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.said = append(o.said, p...)
	close(o.grown)
	o.grown = make(chan struct{})
	return o.file.Write(p)
}

// next waits for text in what was not read yet, and gives the line that it is in.
func (o *output) next(text string, ended <-chan struct{}, within time.Duration) (line string, ok bool) {
	limit := time.After(within)
	for {
		line, grown := o.find(text)
		if grown == nil {
			return line, true
		}
		select {
		case <-grown:
		case <-ended:
			line, grown = o.find(text)
			return line, grown == nil
		case <-limit:
			return "", false
		}
	}
}

// find looks for text in what was not read yet. If it is not there, grown tells when to look again.
func (o *output) find(text string) (line string, grown <-chan struct{}) {
	o.mu.Lock()
	defer o.mu.Unlock()
	at := bytes.Index(o.said[o.read:], []byte(text))
	if at < 0 {
		return "", o.grown
	}
	begin := bytes.LastIndexByte(o.said[:o.read+at], '\n') + 1
	o.read += at + len(text)
	line, _, _ = strings.Cut(string(o.said[begin:]), "\n")
	return line, nil
}

func (o *output) all() []byte {
	o.mu.Lock()
	defer o.mu.Unlock()
	return bytes.Clone(o.said)
}

func (o *output) tail() []byte {
	said := o.all()
	return said[max(0, len(said)-4000):]
}
