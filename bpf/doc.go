// SPDX-License-Identifier: Apache-2.0

// Package bpf holds the XDP programs in C and the Go that bpf2go generates from them: types,
// object loader and the compiled object itself, so that a build needs no clang. Weir is the gateway's,
// Decap the one at the other end of its tunnels.
//
// They own one invariant: each packet gets one verdict and one count. They decide by
// what the maps say and hold no policy; what goes into the maps is decided above, in package
// maps and agent/edge.
package bpf

//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -cc clang -strip llvm-strip -go-package bpf -target bpfel Weir weir.bpf.c -- -O2 -g -Wall -Wextra -Werror -Wno-unused-parameter -mcpu=v3 -idirafter /usr/include/x86_64-linux-gnu
//go:generate go run github.com/cilium/ebpf/cmd/bpf2go -cc clang -strip llvm-strip -go-package bpf -target bpfel Decap decap.bpf.c -- -O2 -g -Wall -Wextra -Werror -Wno-unused-parameter -mcpu=v3 -idirafter /usr/include/x86_64-linux-gnu
