// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/weir-lb/weir/test/lab"
)

// Options are what the demo is told.
type Options struct {
	Weir     string    // path of the weir binary whose processes it starts
	Nginx    string    // path of an nginx binary
	Progress io.Writer // what is going on, for people
	// Show is called when the checks are done and everything still runs; the demo is taken down
	// when it returns.
	Show func(Report, Look) error
	Log  *slog.Logger
}

// Look is what a person needs to look around.
type Look struct {
	Nodes   []string // paths of the network namespaces
	Control string   // the gateway's control socket
	Logs    string   // folder of all processes' logs
	Target  string   // the VIP, for a request from the client
}

// Run builds the deployment, runs all checks and takes everything down. The error says that the
// demo itself could not run; a check that does not hold is in the report.
func Run(ctx context.Context, o Options) (err error) {
	if err := lab.Sweep(labName); err != nil {
		return fmt.Errorf("clean up after an earlier run: %w", err)
	}
	l, err := lab.New(labName, o.Log)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.Close()) }()
	d, err := deploy(ctx, l, o)
	if err != nil {
		return err
	}
	report := Report{OK: true}
	for _, check := range d.checks() {
		c := d.runCheck(ctx, o.Progress, check)
		if ctx.Err() != nil {
			return errors.New("interrupted")
		}
		report.OK = report.OK && c.OK
		report.Checks = append(report.Checks, c)
	}
	if !report.OK {
		err = d.keepLogs(o.Progress)
	}
	return errors.Join(err, o.Show(report, d.look()))
}

// keepLogs saves the processes' logs from being removed with the lab.
func (d *deployment) keepLogs(progress io.Writer) error {
	dir, err := os.MkdirTemp("", "weir-demo-logs-")
	if err != nil {
		return err
	}
	fmt.Fprintf(progress, "The logs of all processes are in %s.\n", dir)
	return os.CopyFS(dir, os.DirFS(d.lab.LogDir()))
}

const labName = "demo"

// checkTimeout ends a check that hangs.
const checkTimeout = 40 * time.Second

type namedCheck struct {
	name, says string
	run        func(context.Context, *Check) error
}

func (d *deployment) checks() []namedCheck {
	return []namedCheck{
		{"enrol", "four servers enrol themselves, clients reach them by weight", d.enrolCheck},
		{"rogue", "wrong keys, pools and addresses are refused", d.rogueCheck},
		{"flood", "a flood of registration attempts dies in XDP", d.floodCheck},
		{"loss", "a server dies, another's link goes silent", d.lossCheck},
		{"drain", "a server leaves, its connections go on", d.drainCheck},
		{"restart", "the agent is killed five times under load", d.restartCheck},
	}
}

func (d *deployment) runCheck(ctx context.Context, progress io.Writer, check namedCheck) Check {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	began := time.Now()
	fmt.Fprintf(progress, "%-8s %s … ", check.name, check.says)
	c := Check{Name: check.name}
	if err := check.run(ctx, &c); err != nil {
		c.fail(err)
	}
	c.conclude()
	verdict := "held"
	if !c.OK {
		verdict = "DID NOT HOLD"
	}
	fmt.Fprintf(progress, "%s (%.1fs)\n", verdict, time.Since(began).Seconds())
	return c
}

// deploy builds the network and starts the gateway and the servers, but no element yet.
func deploy(ctx context.Context, l *lab.Lab, o Options) (*deployment, error) {
	fmt.Fprintf(o.Progress, "deploy   a gateway, %d servers, a client and an attacker, each in its own network namespace\n", servers)
	n, err := build(l, o.Log)
	if err != nil {
		return nil, fmt.Errorf("build the network: %w", err)
	}
	d := &deployment{network: n, weir: o.Weir, nginx: o.Nginx}
	if d.files, err = writeFiles(l.Dir(), d.pinDir()); err != nil {
		return nil, err
	}
	for i := range servers {
		if err := d.startServer(i); err != nil {
			return nil, err
		}
	}
	if err := d.startEdge(); err != nil {
		return nil, err
	}
	return d, d.awaitReady(ctx)
}

func (n *network) pinDir() string { return filepath.Join(n.bpffs, "weir") }

// awaitReady waits until the gateway answers, or has ended.
func (d *deployment) awaitReady(ctx context.Context) error {
	_, err := await(ctx, 10*time.Second, "the gateway is ready", func() bool {
		s, err := d.status(ctx)
		return err == nil && s.Ready
	})
	if err != nil {
		return fmt.Errorf("%w: %s", err, tail(d.edge.LogFile()))
	}
	return nil
}

// reroute sets a server's default route again, which its link took down with it.
func (n *network) reroute(server int) error {
	return n.servers[server].Route(netip.MustParsePrefix("0.0.0.0/0"), gatewayAddr(firstServer+server))
}

func (d *deployment) look() Look {
	look := Look{Control: d.control(), Logs: d.lab.LogDir(), Target: "http://" + target.String() + "/"}
	for _, n := range append([]*lab.Node{d.gateway, d.client, d.attacker}, d.servers[:]...) {
		look.Nodes = append(look.Nodes, n.Path())
	}
	return look
}
