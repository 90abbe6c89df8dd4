# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 the abuse authors
# shellcheck shell=bash
# Shared by the tests of the examples: compiled and run as their heads say. Sourced, never run.
# shellcheck source=tests/common/serve.sh
. "$TESTS/common/serve.sh"
examples=$TESTS/../utils/examples

has_compiler() { command -v gcc >/dev/null && pkg-config --exists libabuse; }

# compile NAME: with the command that stands in its head, to $work/NAME.
compile() {
	local line
	line=$(sed -n 's/^ \*\t\(cc .*\)/\1/p' "$examples/$1.c")
	is_not "$line" "" "$1.c says how to compile it"
	cp "$examples/$1.c" "$work"
	(cd "$work" && bash -c "${line/#cc/gcc -Wall -Werror}") || fail "$line"
	pass "$line"
}

# serve COMMAND...: in the background, process id in $server, once it serves.
serve() {
	"$@" &
	server=$!
	on_exit end_server "$server"
	wait_until 60 is_served
}
# A former server leaves the device ready.
is_served() {
	local servers
	read -r servers _ <"/sys/class/abuse/abctl$number/servers"
	[ "$servers" -gt 0 ] && attribute_is ready 1
}
