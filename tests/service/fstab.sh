# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 the abuse authors
# shellcheck shell=bash
# Shared by the tests of a disk that fstab mounts. Sourced after host.sh, never run.
"$TESTS/vm/need" debugfs:e2fsprogs mke2fs:e2fsprogs
# shellcheck disable=SC2154
mkdir "$work/tree"

# system_with_disk OPTIONS COMMAND...: $work/root.img is a copy of $image with the disk of abuse@data.service, which has the files of
# $work/tree and which fstab mounts on /mnt with these OPTIONS. The COMMANDs of debugfs put more into it. A caller may have a
# data.conf of their own there, and lines of fstab that come before.
system_with_disk() {
	# shellcheck disable=SC2154
	cp --sparse=always --reflink=auto "$image" "$work/root.img"
	mke2fs -q -t ext4 -d "$work/tree" "$work/data.img" 16M
	[ -e "$work/data.conf" ] || printf 'backend = file:/var/lib/data.img\nsealed\n' >"$work/data.conf"
	echo "/dev/disk/by-id/abuse-data /mnt ext4 x-systemd.requires=abuse@data.service$1 0 2" >>"$work/fstab"
	printf '%s\n' "rm /etc/fstab" "write $work/fstab /etc/fstab" "mkdir /etc/abuse" "write $work/data.conf /etc/abuse/data.conf" \
		"write $work/data.img /var/lib/data.img" "${@:2}" | debugfs -w -f - "$work/root.img" >"$work/debugfs.log" 2>&1
}
