# SPDX-License-Identifier: LGPL-2.1-or-later
# Copyright (C) 2026 the abuse authors
"""Block devices implemented in Python.

A disk is a class with the methods that its operations need:

    import abuse

    class RamDisk(abuse.Disk):
        def __init__(self, size):
            self.bytes = bytearray(size)

        def pread(self, data, offset, flags):
            data[:] = self.bytes[offset:offset + len(data)]

        def pwrite(self, data, offset, flags):
            self.bytes[offset:offset + len(data)] = data

    abuse.serve(RamDisk(64 << 20), "0", capacity=64 << 20)

serve() returns when another thread calls Server.stop(), and raises KeyboardInterrupt on Ctrl-C. Requests that it held
then return to the queue, for the next server.

The bytes of such a RAM disk end with the process: a server that may be killed keeps them where the next one reads
them, as abuse(7) says. The module needs libabuse.so.0 and no compiler; libabuse(3) explains what lies below.
"""

import atexit
import concurrent.futures
import contextlib
import ctypes
import errno
import os
import signal
import socket
import sys
import threading
import traceback

__all__ = ["Disk", "Server", "Error", "serve", "version", "FUA", "NOUNMAP", "META", "RAHEAD", "SYNC", "BACKGROUND",
           "ZEROES", "WRITE_CACHE", "DISCARD", "WRITE_ZEROES", "ROTATIONAL"]

# flags of a request
FUA, NOUNMAP, META, RAHEAD, SYNC, BACKGROUND = (1 << bit for bit in range(6))
# features of a disk; a server asks for those whose methods it has
WRITE_CACHE, _FUA, DISCARD, WRITE_ZEROES, ROTATIONAL = (1 << bit for bit in range(5))
# pread() returns this instead of filling in zeroes
ZEROES = 1

_READ_ONLY, _SEALED = 1, 2
_ADD, _SERVER_FUA, _NO_LOCK, _NO_SPIN = 1 << 0, 1 << 1, 1 << 4, 1 << 5


class Error(OSError):
    """A call of the library failed: errno says how, strerror why, in words."""


class _Params(ctypes.Structure):
    # struct abuse_params of its first version; the size tells the library
    _fields_ = [(name, ctypes.c_uint32) for name in ("size", "flags")] + \
        [(name, ctypes.c_uint64) for name in ("features", "capacity")] + \
        [(name, ctypes.c_uint32) for name in (
            "logical_block_size", "physical_block_size", "io_min", "io_opt", "max_request", "chunk")] + \
        [(name, ctypes.c_uint64) for name in ("max_discard", "max_write_zeroes")] + \
        [(name, ctypes.c_uint32) for name in ("discard_granularity", "queue_limit")] + \
        [("timeout", ctypes.c_int64), ("seal_uid", ctypes.c_uint32), ("reserved", ctypes.c_uint32),
         ("name", ctypes.c_char * 32), ("uuid", ctypes.c_uint8 * 16)] + \
        [(name, ctypes.c_uint64) for name in ("all_features", "all_ops")] + \
        [(name, ctypes.c_uint32) for name in ("number", "state", "owner", "trusted", "hw_queues", "depth")]


class _Request(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_void_p), ("data", ctypes.c_void_p), ("offset", ctypes.c_uint64),
                ("length", ctypes.c_uint64), ("op", ctypes.c_uint32), ("flags", ctypes.c_uint32)]


_Callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Request))
_Pointer = ctypes.c_void_p


class _Ops(ctypes.Structure):
    _fields_ = [(name, _Callback) for name in ("pread", "pwrite", "trim", "zero", "flush")] + \
        [("release", _Pointer), ("thread_begin", _Pointer), ("thread_end", _Pointer), ("debug", _Pointer),
         ("reserved", _Pointer * 4)]


class _Config(ctypes.Structure):
    _fields_ = [("ops", ctypes.POINTER(_Ops)), ("arg", _Pointer), ("device", ctypes.c_char_p), ("fd", ctypes.c_int),
                ("flags", ctypes.c_uint32), ("params", ctypes.POINTER(_Params)), ("threads", ctypes.c_uint),
                ("depth", ctypes.c_uint), ("buffer", ctypes.c_uint64), ("spin", ctypes.c_uint64),
                ("stack_size", ctypes.c_uint64), ("reserved", ctypes.c_uint64 * 7)]


_loaded = None


def _library():
    """libabuse, loaded at the first use: the module can be imported, and its help read, without it."""
    global _loaded
    if _loaded is None:
        lib = ctypes.CDLL(os.environ.get("ABUSE_LIBRARY", "libabuse.so.0"))
        lib.abuse_server_open_sized.argtypes = [ctypes.POINTER(_Pointer), ctypes.POINTER(_Config), ctypes.c_size_t,
                                                ctypes.c_size_t]
        for name in ("start", "stop", "free", "number", "ctl"):
            getattr(lib, "abuse_server_" + name).argtypes = [_Pointer]
        lib.abuse_server_stop.restype = lib.abuse_server_free.restype = None
        lib.abuse_server_wait.argtypes = [_Pointer, ctypes.c_int64]
        lib.abuse_reason.restype = lib.abuse_version.restype = ctypes.c_char_p
        _loaded = lib
    return _loaded


def version():
    """The version of the library, as text."""
    return _library().abuse_version().decode()


def _check(result):
    if result < 0:
        raise Error(-result, _library().abuse_reason().decode() or os.strerror(-result))
    return result


class Disk:
    """What a server does. Methods of different threads run at the same time, as far as Python lets them.

    A method that raises OSError fails the request with that errno; any other exception is printed and fails it with
    EIO. A write is stored, where every other server of the device reads it, when pwrite() returns. Without flush() the disk
    has no write cache; without pwrite() it is read-only; without trim() or zero() it lacks that operation.

    pread(data, offset, flags)    fill the writable memoryview data, or return abuse.ZEROES
    pwrite(data, offset, flags)   store the bytes of the memoryview data, which is gone afterwards
    flush(flags)                  make durable all that was answered before
    trim(length, offset, flags)   the bytes are not needed any more
    zero(length, offset, flags)   the bytes read as zeroes; keep them allocated if flags has abuse.NOUNMAP
    """

    def pread(self, data, offset, flags):
        raise OSError(errno.EIO, "this disk cannot be read")


def _moves_bytes(method):
    def callback(at):
        request = at.contents
        data = memoryview((ctypes.c_ubyte * request.length).from_address(request.data)).cast("B")
        with data:
            return method(data, request.offset, request.flags)
    return callback


def _shapes(method):
    def callback(at):
        request = at.contents
        return method(request.length, request.offset, request.flags)
    return callback


def _flushes(method):
    def callback(at):
        return method(at.contents.flags)
    return callback


_KINDS = {"pread": _moves_bytes, "pwrite": _moves_bytes, "trim": _shapes, "zero": _shapes, "flush": _flushes}


def _judged(name, result):
    """A wrong result would reach C as any number: then bytes of other requests could answer a read."""
    if result is None or isinstance(result, int) and (result == 0 or result == ZEROES and name == "pread"):
        return result or 0
    raise TypeError("%s() returned %.60r: it must return None%s" %
                    (name, result, ", and fill data, or return abuse.ZEROES" if name == "pread" else ""))


def _guarded(name, callback):
    """An exception becomes an answer: nothing of Python's may pass through C."""
    def answer(at):
        try:
            return _judged(name, callback(at))
        except OSError as error:
            return -(error.errno or errno.EIO)
        except BaseException:  # pylint: disable=broad-except
            traceback.print_exc(file=sys.stderr)
            return -errno.EIO
    return _Callback(answer)


class Server:
    """A device that a Disk serves, from construction to close(); also a context manager.

    device      number, name or node of the device; None: any that is free
    capacity    bytes; None: the device is up already, and stays as it is
    threads     that serve at once
    add         make the device if it does not exist
    read_only, sealed, name, and the fields of struct abuse_params (logical_block_size, queue_limit, timeout in
    nanoseconds ...): how to configure the device if it is not
    """

    def __init__(self, disk, device=None, *, capacity=None, threads=1, depth=0, add=False, lock=True, spin=True,
                 read_only=None, sealed=False, stack_size=8 << 20, **fields):
        self._srv = _Pointer()
        self._lock = threading.Lock()
        self._waiting = threading.Lock()
        self._ops = _Ops()  # kept: the library calls through it
        for name, kind in _KINDS.items():
            method = getattr(disk, name, None)
            if method is not None:
                setattr(self._ops, name, _guarded(name, kind(method)))
        if read_only is None:
            read_only = not hasattr(disk, "pwrite")
        config = _Config(ops=ctypes.pointer(self._ops), fd=-1, threads=threads, depth=depth, stack_size=stack_size)
        config.device = None if device is None else os.fsencode(str(device))
        config.flags = (_ADD if add else 0) | (0 if lock else _NO_LOCK) | (0 if spin else _NO_SPIN)
        if capacity is not None:
            params = _Params(size=ctypes.sizeof(_Params), capacity=capacity)
            params.flags = (_READ_ONLY if read_only else 0) | (_SEALED if sealed else 0)
            for name, value in fields.items():
                setattr(params, _known(name), value.encode() if isinstance(value, str) else value)
            config.params = ctypes.pointer(params)
        elif fields or sealed:
            raise TypeError("without capacity the device is not configured: %s has no effect" %
                            ", ".join(sorted(fields) or ["sealed"]))
        _check(_library().abuse_server_open_sized(ctypes.byref(self._srv), ctypes.byref(config),
                                                  ctypes.sizeof(_Config), ctypes.sizeof(_Params)))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def number(self):
        """The N of /dev/abuseN."""
        return _library().abuse_server_number(self._open())

    def fileno(self):
        """The control node; the server's to close."""
        return _library().abuse_server_ctl(self._open())

    def _open(self):
        if not self._srv:
            raise ValueError("the server is closed")
        return self._srv

    def start(self):
        """Serve, in threads of the library's; returns at once. The server lives until close(), or the program ends."""
        _check(_library().abuse_server_start(self._open()))
        _running.add(self)

    def stop(self):
        """Ask to end, and return at once; from any thread."""
        _library().abuse_server_stop(self._open())

    def wait(self):
        """Until the server is stopped, or the device reset or removed (Error). Signal handlers run meanwhile."""
        if threading.current_thread() is threading.main_thread():
            _check(_beside_signals(self._wait))
        else:
            _check(self._wait())

    def _wait(self):
        with self._waiting:  # one thread at a time waits, and close() for it
            while True:
                result = _library().abuse_server_wait(self._open(), -1)
                if result != -errno.EINTR:
                    return result

    def run(self):
        """start() and wait()."""
        self.start()
        self.wait()

    def close(self):
        """Stop, wait, give everything back; the device stays configured for the next server. Not in a method of Disk."""
        with self._lock:
            if not self._srv:
                return
            self.stop()
            with self._waiting:
                srv, self._srv = self._srv, _Pointer()
                _library().abuse_server_free(srv)
            _running.discard(self)


def _beside_signals(call):
    """For the main thread: the result of call(), which another thread makes.

    Python runs signal handlers in the main thread, between two of its steps. A signal that comes just before this thread
    blocks in C would be noticed only with the next signal. So it sleeps where a byte wakes it, which each signal writes.
    """
    done = concurrent.futures.Future()
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    ending = writer.dup()

    def make():
        with ending:
            try:
                done.set_result(call())
            except BaseException as error:  # pylint: disable=broad-except
                done.set_exception(error)
            with contextlib.suppress(OSError):  # a signal handler's exception ended the wait
                ending.send(b"\0")

    with reader, writer:
        before = signal.set_wakeup_fd(writer.fileno())
        try:
            threading.Thread(target=make, daemon=True).start()
            while not done.done():
                reader.recv(64)
        finally:
            signal.set_wakeup_fd(before)
    return done.result()


# The library's threads call into these, so they outlive the program's last reference.
_running = set()


@atexit.register
def _close_all():
    for server in list(_running):
        server.close()


def _known(name):
    if name not in {field[0] for field in _Params._fields_} or name in ("size", "flags", "reserved"):
        raise TypeError("there is no parameter %r: struct abuse_params in abuse(4) has them" % name)
    return name


def serve(disk, device=None, **options):
    """Serve a disk until it is stopped, reset, removed or Ctrl-C is pressed; arguments as of Server."""
    with Server(disk, device, **options) as server:
        server.run()
