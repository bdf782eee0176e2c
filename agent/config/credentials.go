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
	certificate, err := c.readCertificate()
	c.certificate.Store(certificate)
	return c, err
}

// readCertificate gives nil if there is none.
func (c *Credentials) readCertificate() (*tls.Certificate, error) {
	if c.files[0] == "" {
		return nil, nil
	}
	pair, err := tls.LoadX509KeyPair(c.files[0], c.files[1])
	if err != nil {
		return nil, fmt.Errorf("load the certificate: %w", err)
	}
	return &pair, nil
}

// Reload reads the same files again. If it fails nothing has changed.
func (c *Credentials) Reload() error {
	certificate, err := c.readCertificate()
	if err == nil && c.Keys != nil {
		err = c.Keys.Reload()
	}
	if err == nil {
		c.certificate.Store(certificate)
	}
	return err
}

// Certificate gives the newest certificate, from any goroutine; nil if there never is one.
func (c *Credentials) Certificate() func() *tls.Certificate {
	if c.files[0] == "" {
		return nil
	}
	return c.certificate.Load
}
