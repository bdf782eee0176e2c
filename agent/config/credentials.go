// SPDX-License-Identifier: Apache-2.0

package config

import (
	"crypto/tls"
	"fmt"
	"sync/atomic"

	"github.com/weir-lb/weir/registrar/transport/psk"
)

// Credentials are what the files of a registrar section hold: its peers' keys, and its certificate.
type Credentials struct {
	Keys        *psk.Keys // nil in an unsecured registrar
	certificate atomic.Pointer[tls.Certificate]
	files       [2]string // of the certificate and its key; "" if there is none
}

// Load reads the files.
func (r *Registrar) Load() (*Credentials, error) {
	c := &Credentials{files: [2]string{r.CertificateFile, r.CertificateKeyFile}}
	if r.Unsecured {
		return c, nil
	}
	var err error
	if c.Keys, err = psk.LoadKeys(r.KeyFile); err != nil {
		return nil, err
	}
	return c, c.loadCertificate()
}

func (c *Credentials) loadCertificate() error {
	if c.files[0] == "" {
		return nil
	}
	pair, err := tls.LoadX509KeyPair(c.files[0], c.files[1])
	if err != nil {
		return fmt.Errorf("load the certificate: %w", err)
	}
	c.certificate.Store(&pair)
	return nil
}

// Reload reads the same files again. If it fails nothing has changed, or at most the certificate.
func (c *Credentials) Reload() error {
	if err := c.loadCertificate(); err != nil || c.Keys == nil {
		return err
	}
	return c.Keys.Reload()
}

// Certificate gives the newest certificate, from any goroutine; nil if there never is one.
func (c *Credentials) Certificate() func() *tls.Certificate {
	if c.files[0] == "" {
		return nil
	}
	return c.certificate.Load
}
