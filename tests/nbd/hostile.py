# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (C) 2026 the abuse authors
"""hostile.py SOCKET MODE: an NBD server (newstyle, simple replies) that misbehaves as MODE says."""
import os
import socket
import struct
import sys
import threading
import time

path, mode = sys.argv[1:]
SIZE = {"no-size": 100, "lies": 1 << 40, "huge": (1 << 64) - 1}.get(mode, 8 << 20)
REAL = 8 << 20
HAS_FLAGS, SEND_FLUSH = 1, 4
ESHUTDOWN = 108


def take(sock, length):
    data = b""
    while len(data) < length:
        more = sock.recv(length - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def shake_hands(sock):
    sock.sendall(b"NBDMAGIC" + b"IHAVEOPT" + struct.pack(">H", 3))
    take(sock, 4)
    while True:
        magic, option, length = struct.unpack(">8sII", take(sock, 16))
        take(sock, length)
        if mode == "silent-handshake":
            time.sleep(3600)
        if option not in (6, 7):
            sock.sendall(struct.pack(">QIII", 0x3E889045565A9, option, 0x80000001, 0))
            continue
        info = struct.pack(">HQH", 0, SIZE, HAS_FLAGS | SEND_FLUSH)
        sock.sendall(struct.pack(">QIII", 0x3E889045565A9, option, 3, len(info)) + info)
        sock.sendall(struct.pack(">QIII", 0x3E889045565A9, option, 1, 0))
        if option == 7:
            return


def reply(sock, handle, error, data=b""):
    sock.sendall(struct.pack(">IIQ", 0x67446698, error, handle) + data)


def answer(sock, kind, handle, offset, length):
    if mode == "silent":
        return
    if mode == "error":
        reply(sock, handle, 5)
    elif mode == "lies":
        reply(sock, handle, 22)
    elif mode == "close-in-reply":
        sock.sendall(struct.pack(">IIQ", 0x67446698, 0, handle) + bytes(100))
        raise EOFError
    elif mode == "garbage-reply":
        sock.sendall(os.urandom(4096))
        raise EOFError
    elif mode == "unknown-handle":
        reply(sock, handle ^ 0x5555, 0, bytes(length) if kind == 0 else b"")
    elif mode == "shutting-down":
        reply(sock, handle, ESHUTDOWN)
    else:
        reply(sock, handle, 0, bytes(length) if kind == 0 else b"")


def serve(sock):
    try:
        if mode == "close-at-once":
            return
        if mode == "garbage":
            sock.sendall(os.urandom(4096))
            return
        shake_hands(sock)
        while True:
            magic, flags, kind, handle, offset, length = struct.unpack(">IHHQQI", take(sock, 28))
            if kind == 1:
                take(sock, length)
            if kind == 2:
                return
            answer(sock, kind, handle, offset, length)
    except (EOFError, OSError):
        pass
    finally:
        sock.close()


listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
listener.listen(16)
while True:
    client, _ = listener.accept()
    threading.Thread(target=serve, args=(client,), daemon=True).start()
