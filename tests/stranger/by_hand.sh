#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Talks to a Gatehouse with nothing but protoc and openssl, as docs/integrating.md
# shows it: says hello, reports that door 1 was opened, and prints the server's
# Welcome and Ack as protoc decodes them.
#
#   tests/stranger/by_hand.sh FOLDER
#
# FOLDER is a controller's enrolment.  Ends with 0 when both came.

set -euo pipefail

folder=${1:?usage: by_hand.sh FOLDER}
proto=$(dirname "$0")/../../proto
server=$(/usr/bin/python3 -c 'import json, sys; c = json.load(open(sys.argv[1]))
print("{host}:{port}".format(**c))' "$folder/client.json")

work=$(mktemp -d)
client=
trap 'kill $client 2>/dev/null || :; rm -rf "$work"' EXIT

# docs/integrating.md, "By hand", begins here

frame()		# TEXT: a FromController as text -> its length, and the message
{
	protoc --encode=gatehouse.v1.FromController -I"$proto" gatehouse.proto <<<"$1" >"$work/message"
	printf %b "\\x$(printf %02x "$(stat -c %s "$work/message")")"	# below 128: one byte
	cat "$work/message"
}

answer()	# the next message on descriptor 4 -> a ToController as text
{
	local byte length=0 shift=0

	while :; do
		byte=$(head -c 1 <&4 | od -An -tu1)
		length=$((length | (byte & 127) << shift)) shift=$((shift + 7))
		[ $((byte)) -ge 128 ] || break
	done
	head -c "$length" <&4 | protoc --decode=gatehouse.v1.ToController -I"$proto" gatehouse.proto
}

mkfifo "$work/to" "$work/from"
timeout 30 openssl s_client -quiet -nocommands -no_ign_eof -tls1_3 -alpn gatehouse/1 \
	-connect "$server" -verify_return_error -CAfile "$folder/ca.pem" \
	-cert "$folder/certificate.pem" -key "$folder/key.pem" \
	<"$work/to" >"$work/from" 2>"$work/said" &
client=$!
exec 3>"$work/to" 4<"$work/from"

frame 'hello { protocol: 1 }' >&3
answer | tee "$work/welcome"

frame "record { seq: 1 kind: KIND_DOOR_OPENED door: 1 time_us: $(date +%s)000000 }" >&3
answer | tee "$work/ack"

exec 3>&-		# the end of the input ends s_client

# and ends here

if ! grep -q '^welcome' "$work/welcome" || ! grep -q '^ack' "$work/ack"; then
	cat "$work/said" >&2
	exit 1
fi
