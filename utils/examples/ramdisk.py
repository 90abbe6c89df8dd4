#!/usr/bin/python3
# SPDX-License-Identifier: 0BSD
# Copyright (C) 2026 the abuse authors
# A disk of 64 MiB in memory that outlives its server, without any library: abuse(4) from Python, which shows it, too. Run:
#	python3 ramdisk.py /dev/abctl0 /dev/shm/ramdisk
import array, fcntl, os, struct, sys

EXCHANGE, SET_PARAMS, READ, MOST, SIZE = 0x4126, 0x4127, 0, 1 << 20, 64 << 20
CALL = "4I2Q4I2QqQ"  # struct abuse_exchange

device = os.open(sys.argv[1], os.O_RDWR)
store = os.open(sys.argv[2], os.O_RDWR | os.O_CREAT, 0o600)
os.ftruncate(store, SIZE)
# A field that is 0 is the default of an unconfigured device, and keeps the
# value of one that is up.
fcntl.ioctl(device, SET_PARAMS, struct.pack("IIQQ152x", 176, 0, 0, SIZE))

# One request at 0, its reply at 64, its payload at 4096; all that from a
# multiple of 4096 on.
memory = array.array("B", bytes(4096 + 4096 + MOST))
start = -memory.buffer_info()[0] % 4096
buffer, address = memoryview(memory)[start:], memory.buffer_info()[0] + start
answered = 0
while True:
    call = struct.pack(CALL, 80, 0, 32, 40, address + 64, address, answered,
                       1, 0, 0, address + 4096, MOST, -1, 0)
    answered = struct.unpack(CALL, fcntl.ioctl(device, EXCHANGE, call))[9]
    id, op, flags, sector, length, _ = struct.unpack_from("QIIQQQ", buffer)
    move = os.preadv if op == READ else os.pwritev
    done = move(store, [buffer[4096:4096 + length]], sector * 512)
    struct.pack_into("QQ4I", buffer, 64, id, address + 4096,
                     0 if done == length else 5, 0, 0, 0)
