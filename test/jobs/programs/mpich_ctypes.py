"""What mpinumpy.py needs of MPICH, by ctypes, with the names of mpi4py.

Debian builds mpi4py for Open MPI alone.  This is no mpi4py; it makes the same calls of the MPI library with the same
buffers.  The numbers are those of MPICH's <mpi.h>, and the same in every library of its ABI.
"""
import ctypes
import pickle

import numpy

LIBRARY = ctypes.CDLL("libmpich.so.12", ctypes.RTLD_GLOBAL)
WORLD, INFO_NULL = 0x44000000, 0x1c000000
BYTE, DOUBLE, SUM = 0x4c00010d, 0x4c00080b, 0x58000003
VERSION_BYTES = 8192
MODE_NOCHECK = 1024


class Status(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int) for name in ("count_lo", "count_hi_and_cancelled", "source", "tag", "error")]


def call(name, *arguments):
    """An error ends all ranks: that is how MPI handles errors unless it is told otherwise."""
    getattr(LIBRARY, name)(*arguments)


def at(array):
    assert array.dtype == numpy.dtype("f8") and array.flags.c_contiguous
    return ctypes.c_void_p(array.ctypes.data)


def number(name, *arguments):
    value = ctypes.c_int()
    call(name, *arguments, ctypes.byref(value))
    return value.value


class Request:
    def __init__(self, data, dest, tag):
        self.data, self.request = data, ctypes.c_int()
        call("MPI_Isend", data, len(data), BYTE, dest, tag, WORLD, ctypes.byref(self.request))

    def wait(self):
        call("MPI_Wait", ctypes.byref(self.request), ctypes.byref(Status()))


class World:
    def Get_rank(self):
        return number("MPI_Comm_rank", WORLD)

    def Get_size(self):
        return number("MPI_Comm_size", WORLD)

    def Abort(self, status):
        call("MPI_Abort", WORLD, status)

    def Barrier(self):
        call("MPI_Barrier", WORLD)

    def Allreduce(self, mine, total, operation):
        call("MPI_Allreduce", at(mine), at(total), mine.size, DOUBLE, operation, WORLD)

    def Sendrecv(self, mine, dest, sendtag, got, source, recvtag):
        call("MPI_Sendrecv", at(mine), mine.size, DOUBLE, dest, sendtag, at(got), got.size, DOUBLE, source, recvtag, WORLD,
             ctypes.byref(Status()))

    def isend(self, value, dest, tag):
        return Request(pickle.dumps(value), dest, tag)

    def recv(self, source, tag):
        status = Status()
        call("MPI_Probe", source, tag, WORLD, ctypes.byref(status))
        data = ctypes.create_string_buffer(number("MPI_Get_count", ctypes.byref(status), BYTE))
        call("MPI_Recv", data, len(data), BYTE, source, tag, WORLD, ctypes.byref(status))
        return pickle.loads(data.raw)

    def bcast(self, value):
        data = pickle.dumps(value)
        length = ctypes.c_int(len(data))
        call("MPI_Bcast", ctypes.byref(length), 4, BYTE, 0, WORLD)
        data = ctypes.create_string_buffer(data if self.Get_rank() == 0 else b"", length.value)
        call("MPI_Bcast", data, length.value, BYTE, 0, WORLD)
        return pickle.loads(data.raw)

    def gather(self, value):
        """All values at rank 0, None elsewhere."""
        if self.Get_rank():
            return self.isend(value, 0, 3000).wait()
        return [value, *(self.recv(rank, 3000) for rank in range(1, self.Get_size()))]


class Win:
    """Memory that all ranks share."""

    def __init__(self):
        self.win = ctypes.c_int()

    @classmethod
    def Allocate_shared(cls, size, disp_unit, comm):
        self, base = cls(), ctypes.c_void_p()
        call("MPI_Win_allocate_shared", ctypes.c_ssize_t(size), disp_unit, INFO_NULL, WORLD, ctypes.byref(base),
             ctypes.byref(self.win))
        return self

    def Shared_query(self, rank):
        size, unit, base = ctypes.c_ssize_t(), ctypes.c_int(), ctypes.c_void_p()
        call("MPI_Win_shared_query", self.win, rank, ctypes.byref(size), ctypes.byref(unit), ctypes.byref(base))
        return (ctypes.c_char * size.value).from_address(base.value), unit.value

    def Lock_all(self, assertion):
        call("MPI_Win_lock_all", assertion, self.win)

    def Sync(self):
        call("MPI_Win_sync", self.win)

    def Unlock_all(self):
        call("MPI_Win_unlock_all", self.win)

    def Free(self):
        call("MPI_Win_free", ctypes.byref(self.win))


def Get_library_version():
    text, length = ctypes.create_string_buffer(VERSION_BYTES), ctypes.c_int()
    call("MPI_Get_library_version", text, ctypes.byref(length))
    return text.value.decode()


def Finalize():
    call("MPI_Finalize")


call("MPI_Init", None, None)
COMM_WORLD = World()
