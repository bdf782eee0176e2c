#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs tests on Debian's own kernel, which has SCTP, in a virtual machine without KVM:
#
#   test/vm/run.sh                                            what belongs there, listed below
#   test/vm/run.sh ./registrar/transport -run 'TestX' -v      these packages, with go test's flags
#   test/vm/run.sh ./agent/pe:TestX ./agent/pu:TestY          of each package what its pattern matches
#
# It prints a line for each test and all of a failed one (with -v, everything), and fails if a test
# fails or the machine does not come to its end in time. What tests write to $VM_OUT is left in
# build/vm/out, with each package's whole output; captures among it are judged by tshark.
set -euo pipefail
cd "$(dirname "$0")/../.."

default=(
	# Of the data plane what an older kernel may see otherwise; make test-vm-bpf has all of it.
	'./loader:LoadAttaches|Attach$|RestartNever|KernelHertz' './maps:ByteOrder|MoveFlows|SweepKeeps'
	'./test/bpf:FragmentBits|NATInBothFamilies|TestTunnels$|TestSCTP$|AssociationFrom|VLANs$|Challenge$'
	./registrar/transport ./registrar/transport/sctp
	'./agent/pe:RunPlain|Home|MultiHomed|Visitors' './agent/pu:EachProtocol'
	./test/interop
)
limit=${VM_LIMIT:-900} # s, boot included
dir=build/vm

packages=()
flags=()
verbose=
while [ $# -gt 0 ]; do
	case $1 in
	-v) verbose=1 ;;
	-*) flags+=("-test.${1#-}") && [[ $1 == *=* || $# -eq 1 || $2 == -* || $2 == ./* ]] || { flags+=("$2") && shift; } ;;
	*) packages+=("$1") ;;
	esac
	shift
done
[ ${#packages[@]} -gt 0 ] || packages=("${default[@]}")

mkdir -p "$dir"
exec 9>"$dir/lock"
flock 9 # one run at a time in one checkout
test/vm/image.sh "${packages[@]}"
printf '%q ' "${flags[@]}" >"$dir/out/flags"

# The console without what steers a terminal.
plain() {
	sed -u 's/\r//g; s/\x1b\[[?0-9;]*[a-zA-Z]//g; s/\x1bc//g'
}

# A test's own line and what it said, but not those of its parts that passed.
filter() {
	plain | awk -v verbose="$verbose" '
		/^== / { on = 1 }
		!on && !/Kernel panic/ { next }
		verbose { print; fflush(); next }
		/^=== / || /^ +--- PASS/ || /^PASS$/ { next }
		{ print; fflush() }'
}

boot() {
	timeout --foreground "$limit" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 3072 -nic none -nographic -no-reboot \
		-kernel "$dir"/kernel/boot/vmlinuz-* -initrd "$dir/initramfs" \
		-virtfs "local,path=$dir/out,mount_tag=out,security_model=none" \
		-append "console=ttyS0 quiet loglevel=3 panic=-1" </dev/null 2>&1 | tee "$dir/console.log" | filter ||
		true # judged by what it printed
}

judge() {
	local console
	console=$(plain <"$dir/console.log")
	grep -q '^== end' <<<"$console" || {
		echo "The virtual machine did not come to its end within $limit s: its console is in $dir/console.log" >&2
		exit 1
	}
	[ "$(grep -c '^== .* passed, ' <<<"$console")" = "${#packages[@]}" ] || {
		echo "Not all tests passed in the virtual machine: their whole output is in $dir/out" >&2
		exit 1
	}
}

boot
judge
[ -z "$(find "$dir/out" -name '*.pcap' -print -quit)" ] || test/vm/judge.sh
