#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# tshark as the judge of the captures that the virtual machine left: fails if a frame that Weir sent
# is malformed, has an expert error or a wrong checksum, or is not seen as the ASAP or ENRP it claims to be
# (what tshark knows as a retransmission it does not decode again).
set -euo pipefail
cd "$(dirname "$0")/../.."

weir=10.0.128.0/17 # test/interop gives Weir's hosts addresses of it
bad=0
total=0
for capture in build/vm/out/*/*.pcap; do
	frames=$(tshark -n -r "$capture" -o 'sctp.checksum:CRC 32c' -T fields -E separator=';' \
		-Y "ip.src == $weir && (asap || enrp || sctp.data_payload_proto_id in {11, 12} || _ws.expert.severity == error)" \
		-e frame.number -e frame.protocols -e _ws.expert.severity -e _ws.expert.message -e _ws.col.Info 2>build/vm/tshark.log) ||
		{ cat build/vm/tshark.log >&2 && exit 1; }
	faults=$(awk -F';' '$3 ~ /8388608/ || ($2 !~ /asap|enrp/ && $4 !~ /Retransmitted TSN/) { print "  frame " $1 ": " $5 ": " $4 }' <<<"$frames")
	count=$(grep -c . <<<"$frames" || true)
	total=$((total + count))
	[ -z "$faults" ] || [ "$count" = 0 ] || { bad=1 && printf '== tshark on %s\n%s\n' "$capture" "$faults" >&2; }
done
[ "$bad" = 0 ] || exit 1
echo "== tshark: $total ASAP and ENRP frames of Weir, none malformed, no expert error"
