#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 the abuse authors
# dracut: a root file system on an abuse disk, see abuse(7).

check() {
	require_binaries abusectl blkid || return 1
	# require_kernel_modules is new in dracut 058.
	# shellcheck disable=SC2154
	modinfo -k "$kernel" abuse >/dev/null 2>&1 || return 1
}

# On a system whose store is on the network that is needed again, unless dracut's part for it is not installed.
depends() {
	echo rootfs-block shutdown
	# shellcheck disable=SC2154
	if grep -qE '(^| )abuse\.root=[^ ]*nbds?://' /proc/cmdline && compgen -G "$dracutbasedir/modules.d/[0-9]*network" >/dev/null; then
		echo network
	fi
}

# The file system of the store is on no device that dracut looks at.
installkernel() {
	local type
	instmods abuse
	type=$(findmnt -no FSTYPE /run/abuse/store) && hostonly='' instmods "$type"
	return 0
}

install() {
	local dir

	inst_multiple abusectl blkid mount umount sed cat mkdir modprobe
	inst_libdir_file 'libnbd.so.0*'
	# dracut looks for the libraries of executable files alone, which a library is not everywhere.
	# shellcheck disable=SC2154
	for dir in $libdirs; do
		[ -e "$dir/libnbd.so.0" ] || continue
		# shellcheck disable=SC2046
		inst_multiple $(ldd "$dir/libnbd.so.0" | sed -n 's,.*=> \(/[^ ]*\).*,\1,p')
	done
	inst_rules 60-abuse.rules
	inst_simple /usr/lib/abuse/root-server
	# shellcheck disable=SC2154
	inst_hook cmdline 90 "$moddir/parse-abuse.sh"
	inst_hook shutdown 20 "$moddir/shutdown-abuse.sh"
}
