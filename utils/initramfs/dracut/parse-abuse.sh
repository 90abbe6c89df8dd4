#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 the abuse authors
# dracut: with abuse.root=, has the root file system served as soon as its store is there, and waits until it is.
if getarg abuse.root= >/dev/null; then
	# shellcheck disable=SC2154
	echo '[ -e /run/abuse/root.pid ]' >"$hookdir/initqueue/finished/abuse.sh"
	/sbin/initqueue --settled --name abuse /usr/lib/abuse/root-server
fi
