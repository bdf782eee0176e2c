#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs the data plane's tests on Debian's own kernel, in a virtual machine without KVM: the packages
# named below, each a test binary in an initramfs of its own making. Prints what they print; fails
# if one fails, or if the machine does not come to its end in time.
set -euo pipefail
cd "$(dirname "$0")/../.."

packages=(loader maps test/bpf)
modules=(veth)
limit=900 # s
dir=build/vm
root=$dir/root
log=$dir/console.log

# The newest kernel of this Debian, unpacked and not installed.
fetch_kernel() {
	[ -n "$(ls "$dir"/kernel/boot/vmlinuz-* 2>/dev/null)" ] && return
	local image
	image=$(apt-cache depends linux-image-amd64 | awk '/Depends:/ {print $2; exit}')
	mkdir -p "$dir/kernel"
	(cd "$dir" && apt-get -qq -o APT::Sandbox::User=root download "$image" && dpkg -x "$image"_*.deb kernel && rm -f "$image"_*.deb)
}

build_root() {
	rm -rf "$root"
	mkdir -p "$root"/{bin,dev,proc,sys,tmp,run,modules}
	cp /bin/busybox "$root/bin/"
	cp test/vm/init "$root/init"
	for module in "${modules[@]}"; do
		cp "$(find "$dir/kernel/lib/modules" -name "$module.ko")" "$root/modules/"
	done
	for package in "${packages[@]}"; do
		CGO_ENABLED=0 go test -c -o "$root/bin/${package//\//-}.test" "./$package"
	done
	(cd "$root" && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1) >"$dir/initramfs.gz"
}

boot() {
	timeout "$limit" qemu-system-x86_64 -accel tcg,thread=multi -cpu max -smp 2 -m 2048 -nographic -no-reboot \
		-kernel "$dir"/kernel/boot/vmlinuz-* -initrd "$dir/initramfs.gz" \
		-append "console=ttyS0 quiet panic=-1" </dev/null >"$log" 2>&1 || true # judged by what it printed
}

judge() {
	tr -d '\r' <"$log" | sed -n '/^== /,$p'
	local passed
	passed=$(tr -d '\r' <"$log" | grep -c '^== .* passed$' || true)
	[ "$passed" = "${#packages[@]}" ] || {
		echo "Not all tests passed in the virtual machine: its console is in $log" >&2
		exit 1
	}
}

fetch_kernel
build_root
boot
judge
