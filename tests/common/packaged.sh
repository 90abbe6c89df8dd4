# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 the abuse authors
# shellcheck shell=bash
# Sourced in a guest where packages are installed, whichever kind: what a user may expect of them, and of their removal.
# shellcheck source=tests/common/test.sh
. "$TESTS/common/test.sh"
# shellcheck source=tests/common/reports.sh
. "$TESTS/common/reports.sh"

# become USER COMMAND...: this process becomes COMMAND of that user.
become() { exec setpriv --reuid="$1" --regid="$1" --init-groups --inh-caps=-all "${@:2}"; }
as() { (become "$@"); }
serve() {
	(become member abusectl server 0 "$@") &
	server=$!
}
is_served() { [ "$(cat /sys/class/abuse/abctl0/ready)" = 1 ]; }

# member_serves VERSION: a member of the group serves and formats, root mounts, every byte is right.
member_serves() {
	ok "the module loads" modprobe abuse
	udevadm settle
	is "$(stat -c '%U %G %a' /dev/abctl0 /dev/abuse0 /dev/abuse-control | sort -u)" "root abuse 660" \
		"the nodes belong to root and the group"
	is "$(abusectl --version)" "abusectl $1" "abusectl and package are of one version"

	useradd --create-home --groups abuse member
	useradd --create-home stranger
	fails "a user outside the group may not serve" as stranger abusectl server 0 zero size=1M

	serve file:/home/member/disk.img size=256M
	wait_until 30 is_served
	ok "the member formats the disk" as member mkfs.ext4 -q /dev/abuse0
	mount /dev/abuse0 /mnt
	cp -a /usr/sbin /mnt
	kill -KILL "$server"
	wait "$server" 2>/dev/null || true
	serve file:/home/member/disk.img
	umount /mnt
	echo 3 >/proc/sys/vm/drop_caches
	mount /dev/abuse0 /mnt
	ok "every byte is right after the server was killed and replaced" diff -r --no-dereference /usr/sbin /mnt/sbin
	umount /mnt
	ok "the file system is clean" e2fsck -fn /dev/abuse0
	kill -TERM "$server"
	ok "the server ends well" wait "$server"
	ok "reset" abusectl reset 0
	udevadm settle
}

# nothing_is_left: of the packages that were removed just now.
nothing_is_left() {
	local left
	fails "the module is no longer loaded" test -e /sys/module/abuse
	for left in /usr/src/abuse-* /var/lib/dkms/abuse /lib/modules/*/updates/dkms/abuse* /lib/modules/*/extra/abuse* \
		/usr/lib/udev/rules.d/*abuse* /lib/udev/rules.d/*abuse* /etc/udev/rules.d/*abuse* \
		/usr/lib/sysusers.d/*abuse* /usr/lib/modules-load.d/*abuse* /usr/sbin/abusectl /usr/bin/abusectl /dev/abuse*; do
		[ ! -e "$left" ] || fail "$left is left"
	done
	pass "no file is left"
	fails "no module of that name is known" modinfo -F filename abuse
	kernel_is_content
}

# kernel_is_content: it said nothing bad since it booted, about the module or as it does when it is in trouble.
kernel_is_content() {
	local complaints
	complaints=$(dmesg --level=emerg,alert,crit,err,warn | grep -iE "abuse|WARNING|BUG|$reports" | grep -v 'taints kernel\|module verification' || true)
	[ -z "$complaints" ] || dmesg | tail -n 150
	is "$complaints" "" "the kernel has nothing to complain about"
}
