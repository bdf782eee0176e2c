// SPDX-License-Identifier: Apache-2.0

package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, file string, text []byte) {
	t.Helper()
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

// writeCertificate makes a certificate with this serial number, and its key.
func (r *Registrar) writeCertificate(t *testing.T, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, r.CertificateFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	write(t, r.CertificateKeyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private}))
}

// A reload takes the keys and the certificate, or says what is wrong and takes neither.
func TestReloadIsWhole(t *testing.T) {
	folder := t.TempDir()
	r := Registrar{
		KeyFile: filepath.Join(folder, "keys"), CertificateFile: filepath.Join(folder, "cert.pem"),
		CertificateKeyFile: filepath.Join(folder, "key.pem"),
	}
	key := strings.Repeat("a1", 16)
	write(t, r.KeyFile, []byte("pe-1:"+key+"\n"))
	r.writeCertificate(t, 1)
	c, err := r.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, keys  string
		serial      int64 // of the certificate in the file; 0: its key is missing
		fails       bool
		want        int64
		wantElement bool // pe-2 has a key
	}{
		{name: "faulty keys", keys: "pe-2:short\n", serial: 2, fails: true, want: 1},
		{name: "no certificate", keys: "pe-2:" + key + "\n", fails: true, want: 1},
		{name: "both", keys: "pe-2:" + key + "\n", serial: 3, want: 3, wantElement: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			write(t, r.KeyFile, []byte(tt.keys))
			if r.writeCertificate(t, tt.serial); tt.serial == 0 {
				write(t, r.CertificateKeyFile, nil)
			}
			if err := c.Reload(); (err != nil) != tt.fails {
				t.Errorf("error %v", err)
			}
			if got := c.Certificate()().Leaf.SerialNumber.Int64(); got != tt.want {
				t.Errorf("certificate %d, want %d", got, tt.want)
			}
			if got := c.Keys.Has("pe-2"); got != tt.wantElement {
				t.Errorf("a key for pe-2: %v", got)
			}
		})
	}
}
