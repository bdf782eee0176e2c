// SPDX-License-Identifier: Apache-2.0

package pu_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"time"

	"github.com/weir-lb/weir/agent/hunt"
	"github.com/weir-lb/weir/agent/pu"
	"github.com/weir-lb/weir/registrar/transport"
	"github.com/weir-lb/weir/registrar/transport/psk"
)

// A program that asks the pool "echo" a question, and asks somebody else when
// the element that it asked dies meanwhile.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	keys, err := psk.LoadKeys("pu-1.keys")
	if err != nil {
		log.Fatal(err)
	}
	user, err := pu.New(pu.Config{
		Registrars: []hunt.Registrar{{Host: "registrar-1.example", Port: 3864}, {Host: "registrar-2.example", Port: 3864}},
		Dial:       hunt.Dialer(transport.DialConfig{Identity: "pu-1", Keys: keys}, nil),
		OnFailover: func(_ context.Context, f pu.Failover) error {
			log.Printf("from %v to %v: %v", f.Old.ID, f.New.ID, f.Reason)
			return nil // an error would refuse the new element
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer user.Close()

	conn, err := user.Dial(ctx, "echo")
	for err == nil {
		var answer []byte
		if _, err = io.WriteString(conn, "hello\n"); err == nil {
			answer, err = io.ReadAll(conn)
		}
		if err == nil {
			fmt.Printf("%s", answer)
			conn.Close()
			return
		}
		conn, err = conn.Failover(ctx, err) // closes the old connection
	}
	log.Fatal(err)
}

// A program that only wants to know who is in the pool.
func ExampleUser_Watch() {
	var user *pu.User // of pu.New
	for pool, err := range user.Watch(context.Background(), "echo") {
		if errors.Is(err, pu.ErrUnknownPool) {
			fmt.Println("there is no pool yet")
			continue
		}
		for _, e := range pool.Elements {
			fmt.Println(e.ID, e.User.Protocol, e.User.Addrs, e.User.Port)
		}
	}
}
