// SPDX-License-Identifier: Apache-2.0

package config

import (
	"fmt"
	"net/netip"

	"github.com/weir-lb/weir/registrar/wire"
)

// Check finds what is missing and what contradicts something else in the section at path registrar; single values were
// checked as they were read.
func (r *Registrar) Check() (faults []Fault) {
	need := func(have bool, path, text string) {
		if !have {
			faults = append(faults, Faultf(path, "%s", text))
		}
	}
	need(r.Listen.IsValid(), "registrar.listen", "is missing: the address and port where pool elements enrol")
	need(r.KeyFile != "", "registrar.key_file", "is missing: the file with a line identity:hexkey for each pool element")
	need(len(r.Grants) > 0, "registrar.grants", "is missing: nobody could enrol")
	for i, g := range r.Grants {
		at := fmt.Sprintf("registrar.grants[%d]", i)
		need(g.Identity != "", at+".identity", "is missing")
		need(len(g.Pools) > 0, at+".pools", "is missing: the pools that this identity may serve")
	}
	return append(faults, r.repeatedGrants()...)
}

func (r *Registrar) repeatedGrants() (faults []Fault) {
	var identities []string
	for i, g := range r.Grants {
		identities = append(identities, g.Identity)
		at := fmt.Sprintf("registrar.grants[%d]", i)
		faults = append(faults, Repeated(g.Pools, at+".pools[%d]", func(_ int, p wire.PoolHandle) string {
			return fmt.Sprintf("%q is given twice", p)
		})...)
		faults = append(faults, Repeated(g.Addresses, at+".addresses[%d]", func(_ int, p netip.Prefix) string {
			return p.String() + " is given twice"
		})...)
	}
	return append(faults, Repeated(identities, "registrar.grants[%d].identity", func(first int, id string) string {
		return fmt.Sprintf("%q has grants[%d] already; put all its pools and addresses there", id, first)
	})...)
}
