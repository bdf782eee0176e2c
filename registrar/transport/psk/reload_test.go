// SPDX-License-Identifier: Apache-2.0

package psk

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
)

func rewrite(t testing.TB, path string, lines ...string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
}

// try reports whether a client with one key gets in.
func try(t testing.TB, server *Keys, identity, key string) bool {
	t.Helper()
	client, accepted := pipe(t)
	c := Client(client, Config{Keys: loadKeys(t, identity+":"+key), Identity: identity})
	_, err := shake(t, c, Server(accepted, Config{Keys: server}))
	return err == nil
}

func TestReloadIsAllOrNothing(t *testing.T) {
	path := keyFile(t, "a:"+keyA)
	keys, err := LoadKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	rewrite(t, path, "b:"+keyB, "a:tooshort")
	if err := keys.Reload(); err == nil {
		t.Fatal("a file with a mistake was taken")
	}
	if got := keys.Identities(); !slices.Equal(got, []string{"a"}) {
		t.Errorf("identities after a failed reload: %q", got)
	}
	if !try(t, keys, "a", keyA) || try(t, keys, "b", keyB) {
		t.Error("a failed reload changed the keys")
	}
	rewrite(t, path, "b:"+keyB)
	if err := keys.Reload(); err != nil {
		t.Fatal(err)
	}
	if got := keys.Identities(); !slices.Equal(got, []string{"b"}) {
		t.Errorf("identities after a reload: %q", got)
	}
	if try(t, keys, "a", keyA) || !try(t, keys, "b", keyB) {
		t.Error("a reload did not change the keys")
	}
}

func TestReloadBesideHandshakes(t *testing.T) {
	path := keyFile(t, "pe-1:"+keyA)
	keys, err := LoadKeys(path)
	if err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var reloads sync.WaitGroup
	reloads.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			// pe-1 is always in it; its neighbours come and go.
			rewrite(t, path+".new", fmt.Sprintf("pe-0%d:%s", i%7, keyB), "pe-1:"+keyA)
			if err := os.Rename(path+".new", path); err != nil {
				t.Error(err)
			}
			if err := keys.Reload(); err != nil {
				t.Error(err)
			}
		}
	})
	var handshakes sync.WaitGroup
	for range 4 {
		handshakes.Go(func() {
			for range 25 {
				if !try(t, keys, "pe-1", keyA) {
					t.Error("an identity that was always there was refused")
				}
			}
		})
	}
	handshakes.Wait()
	close(stop)
	reloads.Wait()
}
