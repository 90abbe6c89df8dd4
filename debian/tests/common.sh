# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 the abuse authors
# shellcheck shell=sh
# Sourced by the tests that need the module: a member of the group and a stranger, device 0, and what becomes of both.
set -eu
export PATH="$PATH:/usr/sbin:/sbin" LC_ALL=C.UTF-8
member=abuse-member stranger=abuse-stranger
server=''

say() { echo "== $*"; }
fail() { echo "FAILED: $*" >&2; exit 1; }

# The machine may have booted another kernel than the one whose headers apt chose.
[ -e "/lib/modules/$(uname -r)/build" ] || {
	echo "no headers of the kernel that runs, $(uname -r): nothing can be tested"
	exit 77
}

as() { # USER COMMAND...
	user=$1
	shift
	setpriv --reuid="$user" --regid="$user" --init-groups --inh-caps=-all -- "$@"
}

wait_until() { # COMMAND...
	tries=0
	until "$@"; do
		tries=$((tries + 1))
		[ "$tries" -lt 300 ] || fail "not within 30 seconds: $*"
		sleep 0.1
	done
}

has_served() { # REQUESTS
	[ "$(cat /sys/class/abuse/abctl0/served)" -gt "$1" ]
}

# In the background, as the member; $server is the process.
serve() { # ARGUMENT...
	setpriv --reuid="$member" --regid="$member" --init-groups --inh-caps=-all -- abusectl server "$@" &
	server=$!
	wait_until grep -qx 1 /sys/class/abuse/abctl0/ready
}

end_of_test() {
	set +e
	trap - EXIT
	mountpoint -q /mnt && umount -l /mnt
	[ -z "$server" ] || kill "$server" 2>/dev/null
	abusectl reset 0 2>/dev/null
	wait
	userdel --remove "$member" 2>/dev/null
	userdel --remove "$stranger" 2>/dev/null
	udevadm settle
	modprobe -r abuse
}
trap 'exit_status=$?; end_of_test; exit "$exit_status"' EXIT

useradd --create-home --groups abuse "$member"
useradd --create-home "$stranger"
modprobe abuse
udevadm settle
