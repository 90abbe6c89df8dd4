#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 the abuse authors
# dracut: at shutdown, when the root file system is unmounted, ends its server and unmounts what has its store.
if [ -e /run/abuse/root.pid ]; then
	abusectl stop --quiet --timeout 20s 0
	# The kernel's map keeps the store open.
	abusectl reset --quiet 0
fi
sed -n 's,^[^ ]* \([^ ]*/run/abuse/store\) .*,\1,p' /proc/mounts | while read -r store; do
	umount "$store"
done
