// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
)

// serve does a round for each line, and writes it as a line.
func serve(b *bench, from io.Reader, to io.Writer) error {
	encoder := json.NewEncoder(to)
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		r, err := b.round()
		if err != nil {
			return err
		}
		if err := encoder.Encode(r); err != nil {
			return err
		}
	}
	return lines.Err()
}

// opponent is another build of this command, which serves.
type opponent struct {
	command *exec.Cmd
	ask     io.WriteCloser
	answers *json.Decoder
}

func start(o options) (*opponent, error) {
	command := exec.Command(o.against, "-serve", "-repeat", strconv.Itoa(o.repeat), "-cases", o.only.String())
	command.Stderr = os.Stderr
	ask, err := command.StdinPipe()
	if err != nil {
		return nil, err
	}
	answers, err := command.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := command.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", o.against, err)
	}
	return &opponent{command: command, ask: ask, answers: json.NewDecoder(answers)}, nil
}

func (o *opponent) round() (r round, err error) {
	if _, err := io.WriteString(o.ask, "round\n"); err != nil {
		return r, fmt.Errorf("ask %s for a round: %w", o.command.Path, err)
	}
	return r, o.answers.Decode(&r)
}

// stop ends it: it has no more to read.
func (o *opponent) stop() error {
	if err := o.ask.Close(); err != nil {
		return err
	}
	return o.command.Wait()
}
