#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 the abuse authors
# Run in the guest after each test: it may leave nothing. Any output, or a status other than 0,
# fail the test that just ran.
set -u
[ ! -e "${COVERAGE:+/sys/kernel/debug/abuse-coverage}" ] || cp /sys/kernel/debug/abuse-coverage "$COVERAGE"
[ -d /sys/module/abuse ] || exit 0
[ "$(cat /sys/module/abuse/initstate 2>/dev/null)" = live ] || exit 0
# A udev worker that still looks at a disk of it has that open, and a worker of the module may still close a file.
deadline=$((SECONDS + 10 * ${TIMEOUT_FACTOR:-1}))
until said=$(modprobe -r abuse 2>&1); do
	if [ "$SECONDS" -ge "$deadline" ]; then
		echo "the module cannot be unloaded after this test: $said"
		ls -d /sys/block/abuse* 2>/dev/null
		exit 1
	fi
	udevadm settle --timeout=$((15 * ${TIMEOUT_FACTOR:-1}))
	sleep 0.2
done
