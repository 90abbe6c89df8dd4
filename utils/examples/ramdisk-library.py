#!/usr/bin/python3
# SPDX-License-Identifier: 0BSD
# Copyright (C) 2026 the abuse authors
# A RAM disk of 64 MiB whose bytes lie in a shared-memory object, so that it outlives its server. Run:
#	python3 ramdisk-library.py 0
import mmap, os, sys
import abuse

SIZE = 64 << 20


class RamDisk(abuse.Disk):
    def __init__(self):
        store = os.open("/dev/shm/ramdisk-%d" % os.getuid(), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        os.ftruncate(store, SIZE)
        self.bytes = mmap.mmap(store, SIZE)

    def pread(self, data, offset, flags):
        data[:] = self.bytes[offset:offset + len(data)]

    def pwrite(self, data, offset, flags):
        self.bytes[offset:offset + len(data)] = data


try:
    abuse.serve(RamDisk(), sys.argv[1], capacity=SIZE)
except KeyboardInterrupt:
    pass
