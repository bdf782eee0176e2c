// SPDX-License-Identifier: Apache-2.0

package loader_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/weir-lb/weir/loader"
)

// attachForeign puts somebody else's program on an interface, as ip(8) does.
func (h *host) attachForeign(name string) {
	h.Helper()
	p := passProgram(h.T)
	h.inside(func() error {
		l, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		return netlink.LinkSetXdpFd(l, p.FD())
	})
}

// A start that fails says why in one sentence and leaves nothing: no program, no pin.
func TestRefusals(t *testing.T) {
	for _, tt := range []struct {
		name    string
		prepare func(h *host, cfg *loader.Config)
		want    string // DIR stands for the loader's folder
	}{
		{"no such interface", func(_ *host, cfg *loader.Config) { cfg.Interfaces = []string{"in0", "nope0"} },
			"interface nope0: Link not found"},
		{"two of them", func(_ *host, cfg *loader.Config) { cfg.Interfaces = []string{"nope0", "in0", "nope1"} },
			"interface nope0: Link not found\ninterface nope1: Link not found"},
		{"not on a bpf file system", func(h *host, cfg *loader.Config) { cfg.Dir = filepath.Join(h.TempDir(), "weir") },
			"DIR is not on a bpf file system: run `mount -t bpf bpf /sys/fs/bpf`, or set bpf: to a folder on one"},
		{"no forwarding", func(h *host, _ *loader.Config) { must(h.T, h.node.Sysctl("net.ipv4.conf.in1.forwarding", "0")) },
			"no forwarding of IPv4 on in1: run `sysctl -w net.ipv4.ip_forward=1`"},
		{"no forwarding of IPv6", func(h *host, cfg *loader.Config) {
			cfg.IPv6 = true
			must(h.T, h.node.Sysctl("net.ipv6.conf.in0.forwarding", "1"))
		}, "no forwarding of IPv6 on in1: run `sysctl -w net.ipv6.conf.all.forwarding=1`"},
		{"another program", func(h *host, _ *loader.Config) { h.attachForeign("in1") },
			"attach to in1: another XDP program is there: remove it with `ip link set dev in1 xdp off` first"},
		{"another program, generic", func(h *host, _ *loader.Config) {
			p := passProgram(h.T)
			h.inside(func() error {
				l, err := netlink.LinkByName("in1")
				if err != nil {
					return err
				}
				return netlink.LinkSetXdpFdWithFlags(l, p.FD(), unix.XDP_FLAGS_SKB_MODE)
			})
		}, "attach to in1: another XDP program is there: remove it with `ip link set dev in1 xdpgeneric off` first"},
		{"another program, by a link", func(h *host, _ *loader.Config) {
			p, index := passProgram(h.T), int(h.index("in1"))
			h.inside(func() error {
				l, err := link.AttachXDP(link.XDPOptions{Program: p, Interface: index, Flags: link.XDPDriverMode})
				if err == nil {
					h.Cleanup(func() { l.Close() })
				}
				return err
			})
		}, "attach to in1: another XDP program is there: remove it with `ip link set dev in1 xdp off` first"},
		{"no native XDP", func(h *host, cfg *loader.Config) { cfg.Interfaces = []string{"in0", "lo"} },
			"attach to lo: its driver takes no native XDP program (an MTU above one page also causes this): failed to attach link: create link: operation not supported"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHost(t)
			cfg := h.config("in0", "in1")
			tt.prepare(h, &cfg)
			want := strings.ReplaceAll(tt.want, "DIR", cfg.Dir)
			if got := h.refused(cfg); got != want {
				t.Errorf("it says\n%s\nwant\n%s", got, want)
			}
			if h.xdp("in0") != 0 {
				t.Error("in0 has a program")
			}
			if cfg.Dir == h.dir {
				h.wantLeft()
			}
		})
	}
}

// roleEnv makes this test's binary a process that may not load, of one of two kinds.
const roleEnv = "WEIR_LOADER_TEST_ROLE"

func TestMain(m *testing.M) {
	if os.Getenv(roleEnv) != "" {
		os.Exit(loadUnprivileged())
	}
	os.Exit(m.Run())
}

// loadUnprivileged loads on this very thread, which has no capability left.
func loadUnprivileged() int {
	runtime.LockOSThread()
	if os.Getenv(roleEnv) == "uncapable" {
		header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		none := make([]unix.CapUserData, 2)
		if err := unix.Capset(&header, &none[0]); err != nil {
			os.Stderr.WriteString(err.Error())
			return 3
		}
	}
	_, err := loader.Load(loader.Config{Dir: os.Args[1], Flows: 100, Log: discard()})
	if err == nil {
		return 0
	}
	os.Stderr.WriteString(err.Error())
	return 1
}

func TestNotPermitted(t *testing.T) {
	const needs = "not permitted: this needs CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON, which root has unless they were taken away, as in a container"
	for _, tt := range []struct {
		name, role string
		user       uint32
		mode       os.FileMode // of the folder
		want       string
	}{
		{"root without capabilities", "uncapable", 0, 0o700, "load the program: " + needs},
		{"nobody", "nobody", 65534, 0o700, "stat DIR: permission denied"},
		{"nobody, in a folder of their own", "nobody", 65534, 0o777, "load the program: " + needs},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := newHost(t)
			must(t, os.Mkdir(h.dir, tt.mode))
			must(t, os.Chmod(h.fs, 0o755&tt.mode|0o700))
			must(t, os.Chmod(h.dir, tt.mode))
			cmd := exec.Command(os.Args[0], h.dir)
			if tt.user != 0 {
				cmd.Path = worldBinary(t)
			}
			cmd.Env = []string{roleEnv + "=" + tt.role}
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: tt.user, Gid: tt.user}}
			out, err := cmd.CombinedOutput()
			if want := strings.ReplaceAll(tt.want, "DIR", h.dir); err == nil || string(out) != want {
				t.Errorf("it says, %v,\n%s\nwant\n%s", err, out, want)
			}
			h.wantLeft()
		})
	}
}

// worldBinary is a copy of this test's binary that anybody may run.
func worldBinary(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "weir-loader-test-")
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o755))
	binary, err := os.ReadFile(os.Args[0])
	must(t, err)
	path := filepath.Join(dir, "loader.test")
	must(t, os.WriteFile(path, binary, 0o755))
	return path
}
