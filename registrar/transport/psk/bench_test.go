// SPDX-License-Identifier: Apache-2.0

package psk

import (
	"io"
	"syscall"
	"testing"
	"time"
)

// cpu is the time that this process has had, user and system.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func reportCPU(b *testing.B, before time.Duration) {
	b.ReportMetric(float64((cpu(b)-before).Microseconds())/float64(b.N), "cpu-µs/op")
}

// BenchmarkHandshake is both sides', with the TCP connection.
func BenchmarkHandshake(b *testing.B) {
	keys := loadKeys(b, "pe-1:"+keyA)
	for _, v := range versions {
		b.Run(v.String(), func(b *testing.B) {
			before := cpu(b)
			for b.Loop() {
				if !connectOnce(b, keys, keys, v) {
					b.Fatal("refused")
				}
			}
			reportCPU(b, before)
		})
	}
}

// BenchmarkMessage is one message of 200 bytes there and back: two messages.
func BenchmarkMessage(b *testing.B) {
	for _, v := range versions {
		b.Run(v.String(), func(b *testing.B) {
			c, s := connected(b, v)
			for _, conn := range []*Conn{c, s} {
				if err := conn.NetConn().SetDeadline(time.Time{}); err != nil {
					b.Fatal(err)
				}
			}
			go func() { _, _ = io.CopyBuffer(s, struct{ io.Reader }{s}, make([]byte, 256)) }()
			p := make([]byte, 200)
			before := cpu(b)
			for b.Loop() {
				if _, err := c.Write(p); err != nil {
					b.Fatal(err)
				}
				if _, err := io.ReadFull(c, p); err != nil {
					b.Fatal(err)
				}
			}
			reportCPU(b, before)
		})
	}
}
