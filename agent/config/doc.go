// SPDX-License-Identifier: Apache-2.0

// Package config reads configurations: YAML, strictly, with every fault of a file at once, each with its line and path.
//
// It owns the decoder (Decoder, the values it knows, Faults) and the registrar section, which weir edge and weir
// registrar have in common: Registrar, its defaults, and what makes it a registrar's own configuration. Its invariants: a
// file is taken as a whole or refused; a value is checked where it is read, what belongs together by Check; no key of a
// peer is ever part of a configuration, only the file that it is in.
//
// It will not open a socket or look at the machine, and it knows nothing of services and kernels: package edge does.
package config
