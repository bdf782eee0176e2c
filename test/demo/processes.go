// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"

	"github.com/weir-lb/weir/test/lab"
)

// deployment is what runs in the network.
type deployment struct {
	*network
	*files
	weir  string // this program
	nginx string
	edge  *lab.Process
	pes   [servers]*lab.Process
	webs  [servers]*lab.Process
}

// What serves runs until it is killed, or until the lab is closed: no check's context ends it.

func (d *deployment) startEdge() (err error) {
	d.edge, err = d.gateway.Start(exec.Command(d.weir, "edge", "--config", d.path("edge.yaml")))
	return err
}

func (d *deployment) startServer(i int) error {
	conf, err := d.nginxConfig(serverName(i))
	if err != nil {
		return err
	}
	cmd := exec.Command(d.nginx, "-p", d.dir, "-e", "stderr", "-c", conf)
	d.webs[i], err = d.servers[i].Start(cmd)
	return err
}

func (d *deployment) startPE(i int) error {
	p, err := d.enrol(d.servers[i], element{
		identity: identity(i), key: d.keys[identity(i)], pool: "web",
		serve: fmt.Sprintf("tcp://%s:%d", serverAddr(i), serverPort), weight: weights[i],
	})
	d.pes[i] = p
	return err
}

// element is what a weir pe is told.
type element struct {
	identity, key, pool, serve string
	weight                     int
	args                       []string
}

// enrol starts a weir pe with a key file of its own.
func (d *deployment) enrol(on *lab.Node, e element) (*lab.Process, error) {
	keys, err := d.keyFile(fmt.Sprintf("%s-%s.key", on.Name(), e.identity), e.identity, e.key)
	if err != nil {
		return nil, err
	}
	args := []string{"pe", "--pool", e.pool, "--registrar", registrar, "--identity", e.identity, "--key-file", keys,
		"--serve", e.serve, "--policy", "wrr", "--weight", strconv.Itoa(e.weight)}
	return on.Start(exec.Command(d.weir, append(args, e.args...)...))
}

// traffic runs a client or an attacker to its end and decodes the line that it reports into result.
func (d *deployment) traffic(ctx context.Context, on *lab.Node, result any, args ...string) error {
	cmd := exec.CommandContext(ctx, d.weir, append([]string{"demo", "traffic"}, args...)...)
	var out bytes.Buffer
	cmd.Stdout = &out
	p, err := on.Start(cmd)
	if err != nil {
		return err
	}
	if err := p.Wait(); err != nil {
		return fmt.Errorf("%s: %w: %s", args[0], err, tail(p.LogFile()))
	}
	if err := json.Unmarshal(out.Bytes(), result); err != nil {
		return fmt.Errorf("%s: read its report: %w", args[0], err)
	}
	return nil
}

// session is a client that runs until its input is closed.
type session struct {
	process *lab.Process
	in      io.WriteCloser
	out     *json.Decoder
}

func (d *deployment) session(ctx context.Context, on *lab.Node, args ...string) (*session, error) {
	cmd := exec.CommandContext(ctx, d.weir, append([]string{"demo", "traffic"}, args...)...)
	inRead, inWrite, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	outRead, outWrite, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.Stdin, cmd.Stdout = inRead, outWrite
	p, err := on.Start(cmd)
	inRead.Close()
	outWrite.Close()
	if err != nil {
		return nil, err
	}
	return &session{process: p, in: inWrite, out: json.NewDecoder(outRead)}, nil
}

// finish closes the input, waits for the end, and decodes the last report into result, if any.
func (s *session) finish(result any) error {
	s.in.Close()
	if result != nil {
		if err := s.out.Decode(result); err != nil {
			return fmt.Errorf("read a client's report: %w: %s", err, tail(s.process.LogFile()))
		}
	}
	return s.process.Wait()
}

// tail is the end of a log, for an error message.
func tail(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	const most = 500
	if len(text) > most {
		text = text[len(text)-most:]
	}
	return string(bytes.TrimSpace(text))
}
