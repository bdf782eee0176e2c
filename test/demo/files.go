// SPDX-License-Identifier: Apache-2.0

package demo

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// identities of the demo's elements. The mail element has a valid key and may serve its own pool
// only; the spare one enrols while the flood is on.
const (
	mailIdentity  = "pe-mail"
	spareIdentity = "pe-spare"
)

func identity(i int) string { return fmt.Sprintf("pe-%d", i+1) }

// files writes the configuration of the whole deployment into a folder of the lab.
type files struct {
	dir  string
	keys map[string]string // hex, by identity
}

func writeFiles(dir, pinDir string) (*files, error) {
	f := &files{dir: dir, keys: map[string]string{}}
	var lines []string
	for _, name := range f.identities() {
		f.keys[name] = randomKey()
		lines = append(lines, name+":"+f.keys[name])
	}
	if err := f.write("registrar.keys", strings.Join(lines, "\n")+"\n"); err != nil {
		return nil, err
	}
	return f, f.write("edge.yaml", f.edgeConfig(pinDir))
}

func (f *files) identities() []string {
	names := []string{mailIdentity, spareIdentity}
	for i := range servers {
		names = append(names, identity(i))
	}
	return names
}

func (f *files) path(name string) string { return filepath.Join(f.dir, name) }

func (f *files) write(name, text string) error {
	return os.WriteFile(f.path(name), []byte(text), 0o600)
}

// keyFile writes a file that holds one element's key, and returns its path.
func (f *files) keyFile(file, identity, key string) (string, error) {
	return f.path(file), f.write(file, identity+":"+key+"\n")
}

func randomKey() string {
	var b [32]byte
	rand.Read(b[:]) // never fails (crypto/rand, Go 1.24)
	return hex.EncodeToString(b[:])
}

func (f *files) control() string { return f.path("edge.sock") }

// edgeConfig is the gateway's configuration. Its timers are the defaults.
func (f *files) edgeConfig(pinDir string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "registrar:\n  listen: %s\n  key_file: registrar.keys\n  grants:\n", registrar)
	for i := range servers {
		fmt.Fprintf(&b, "    - {identity: %s, pools: [web], addresses: [%s]}\n", identity(i), serverAddr(i))
	}
	fmt.Fprintf(&b, "    - {identity: %s, pools: [web], addresses: [%s]}\n", spareIdentity, serverAddr(0))
	fmt.Fprintf(&b, "    - {identity: %s, pools: [mail], addresses: [%s]}\n", mailIdentity, hostAddr(attackerNet))
	fmt.Fprintf(&b, "interfaces: [client0, attacker0")
	for i := range servers {
		fmt.Fprintf(&b, ", %s", gatewayIf(i))
	}
	fmt.Fprintf(&b, "]\nservices:\n  - {vip: %s, port: %d, protocol: tcp, pool: web}\n", vip, webPort)
	fmt.Fprintf(&b, "  - {vip: %s, port: %d, protocol: tcp, pool: mail}\n", vip, mailPort)
	fmt.Fprintf(&b, "bpf: %s\ncontrol: %s\nmetrics: 127.0.0.1:9464\n", pinDir, f.control())
	return b.String()
}

// nginxConfig is a server that answers with its name, on two ports, and keeps idle connections.
func (f *files) nginxConfig(name string) (string, error) {
	text := fmt.Sprintf(`daemon off;
worker_processes 1;
pid %[1]s/%[2]s.pid;
error_log stderr warn;
events { worker_connections 4096; }
http {
    access_log off;
    keepalive_timeout 1h;
    keepalive_requests 1000000;
    client_body_temp_path %[1]s/%[2]s.body;
    proxy_temp_path %[1]s/%[2]s.proxy;
    fastcgi_temp_path %[1]s/%[2]s.fastcgi;
    uwsgi_temp_path %[1]s/%[2]s.uwsgi;
    scgi_temp_path %[1]s/%[2]s.scgi;
    server {
        listen %[3]d;
        listen %[4]d;
        location / { return 200 "%[2]s\n"; }
    }
}
`, f.dir, name, serverPort, sparePort)
	return f.path(name + ".conf"), f.write(name+".conf", text)
}
