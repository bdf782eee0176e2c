#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds build/vm/initramfs for the packages named: their test binaries with the shared libraries of
# this machine, weir, rsplib, Debian's kernel modules, and busybox for the rest. Packages of Debian
# that are not installed here are downloaded once and unpacked under build/vm, never installed.
set -euo pipefail
cd "$(dirname "$0")/../.."

# In the order in which they load.
modules=(
	virtio_ring virtio virtio_pci_legacy_dev virtio_pci_modern_dev virtio_pci
	netfs fscache 9pnet 9pnet_virtio 9p
	crc32c_generic libcrc32c udp_tunnel ip6_udp_tunnel sctp
	veth
	llc stp bridge
)
rsplib_packages=(rsplib-registrar rsplib-tools librsplib3 libcpprspserver3 libsctp1)
rsplib_programs=(rspregistrar rspserver rspterminal)
dir=build/vm
root=$dir/root

# fetch DIRECTORY PACKAGE... downloads and unpacks them, unless that was done.
fetch() {
	local into=$dir/$1
	shift
	[ ! -e "$into.of" ] || [ "$(cat "$into.of")" != "$*" ] || return 0
	echo "Fetching $*"
	apt-get -qq update
	rm -rf "$into" "$dir/debs"
	mkdir -p "$into" "$dir/debs"
	(cd "$dir/debs" && apt-get -qq -o APT::Sandbox::User=root download "$@")
	for deb in "$dir"/debs/*.deb; do
		dpkg -x "$deb" "$into"
	done
	rm -rf "$dir/debs"
	echo "$*" >"$into.of"
}

# fetch_kernel takes the newest kernel of this Debian, the first time.
fetch_kernel() {
	[ ! -e "$dir/kernel.of" ] || return 0
	apt-get -qq update
	fetch kernel "$(apt-cache depends linux-image-amd64 | awk '/Depends:/ {print $2; exit}')"
}

# with_libraries FILE... copies programs into /bin, and what the dynamic linker finds for them to where it finds it.
with_libraries() {
	cp -L "$@" "$root/bin/"
	{ LD_LIBRARY_PATH=$dir/rsplib/usr/lib/x86_64-linux-gnu ldd "$@" 2>/dev/null || true; } |
		grep -oE '/[^ :]+\.so[^ :]*|[^ :]+/usr/lib/[^ :]+\.so[^ :]*' | sort -u |
		while read -r library; do
			local to=$root/${library#"$dir/rsplib/"}
			[ -e "$to" ] || { mkdir -p "${to%/*}" && cp -L "$library" "$to"; }
		done
}

add_modules() {
	local number=10
	for module in "${modules[@]}"; do
		cp "$(find "$dir/kernel/lib/modules" -name "$module.ko")" "$root/modules/$number-$module.ko"
		number=$((number + 1))
	done
}

# add_tests PACKAGE[:PATTERN]... builds their test binaries, each with its directory as the test sees it: its testdata.
add_tests() {
	find . -path ./build -prune -o -path '*/testdata/*' -type f -print0 | xargs -0 cp --parents -t "$root/src"
	mkdir -p "$dir/tests"
	rm -f "$dir"/tests/*
	for argument in "$@"; do
		local package=${argument%%:*}
		package=${package#./}
		go test -c -ldflags='-s -w' -o "$dir/tests/${package//\//-}.test" "./$package"
		mkdir -p "$root/src/$package"
		echo "$package ${argument#"${argument%%:*}"}" >>"$root/tests"
	done
	go build -ldflags='-s -w' -o "$dir/tests/weir" ./cmd/weir
	with_libraries "$dir"/tests/*
}

fetch_kernel
fetch rsplib "${rsplib_packages[@]}"
rm -rf "$root" "$dir/out"
mkdir -p "$root"/{bin,dev,proc,sys,tmp,run,etc,modules,out,src} "$dir/out"
ln -s bin "$root/sbin"
cp test/vm/init "$root/init"
cp "$(command -v busybox)" "$root/bin/"
echo 'root:x:0:0:root:/tmp:/bin/sh' >"$root/etc/passwd"
echo '127.0.0.1 localhost' >"$root/etc/hosts"
add_modules
add_tests "$@"
with_libraries "${rsplib_programs[@]/#/$dir/rsplib/usr/bin/}" "$(command -v openssl)"
(cd "$root" && find . | busybox cpio -o -H newc 2>/dev/null) >"$dir/initramfs"
