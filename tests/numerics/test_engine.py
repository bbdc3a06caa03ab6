"""The choice between NumPy and Numba, threads and memory."""

import platform
import subprocess
import sys
import threading
import time

import numpy as np
import pytest

from hme.kernels import kernels, set_kernels
from hme.numerics import engine


@pytest.fixture
def choice():
    before = kernels()
    yield set_kernels
    set_kernels(before)


def test_choice_is_checked(choice):
    choice("numpy")
    assert kernels() == "numpy"
    with pytest.raises(ValueError, match="kernels = 'fortran' must be one of"):
        choice("fortran")
    with pytest.raises(ValueError, match="neglect = 1.0 must be a number from 0 to 1"):
        choice("numpy", neglect=1.0)


def test_small_tables_do_not_import_numba(choice):
    choice("auto")
    with engine.work(engine.LARGE - 1):
        assert not engine.in_use()


def test_a_numba_that_does_not_load_is_no_harm(choice, monkeypatch):
    def broken():
        raise AttributeError("of another version")

    monkeypatch.setattr(engine, "_twins", broken)
    monkeypatch.setattr(engine, "_installed", lambda: True)
    choice("auto")
    with engine.work(engine.LARGE):
        assert not engine.in_use()
    choice("numba")
    with pytest.raises(ImportError, match="of another version"), engine.work(1):
        pass


def test_buffers_are_given_back():
    size = np.getbufsize()
    with pytest.raises(KeyError), engine.work(1):
        assert np.getbufsize() == engine.BUFFER
        raise KeyError
    assert np.getbufsize() == size and not engine.in_use()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another allocator")
def test_freed_memory_is_used_again():
    resource = pytest.importorskip("resource")

    def new_pages():
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(5):
            arrays = [np.ones(1 << 17) for _ in range(4)]
            del arrays
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    with engine.work(1):
        new_pages()
        assert new_pages() < 256  # of 5120


@pytest.mark.slow
def test_environment_chooses():
    code = "from hme.kernels import kernels; print(kernels())"
    run = subprocess.run([sys.executable, "-c", code], env={"HME_KERNELS": "numpy"}, capture_output=True, text=True)
    assert run.stdout.split() == ["numpy"]


# -- threads -----------------------------------------------------------------------------------------------------------


def test_threads_keep_the_order_and_the_settings_of_numpy():
    def seen(i):
        time.sleep(0.002 * (i % 3))
        return i, threading.current_thread().name, np.getbufsize(), list(engine.in_order(str, [i]))

    with engine.work(1), engine.threads(2):
        numbers, names, sizes, inside = zip(*engine.in_order(seen, range(9)), strict=True)
    assert numbers == tuple(range(9)) and set(sizes) == {engine.BUFFER} and inside[3] == ["3"]
    assert len(set(names)) == min(2, engine.cpu_count())
    assert next(engine.in_order(seen, [0]))[1] == threading.current_thread().name


def test_threads_end_with_the_first_error():
    calls = []

    def fails(i):
        calls.append(i)
        raise KeyError(i)

    with pytest.raises(KeyError, match="0"), engine.threads(2):
        list(engine.in_order(fails, range(100)))
    assert len(calls) <= 2 * engine.AHEAD + 1


def test_threads_are_those_of_the_context_without_a_number(monkeypatch):
    monkeypatch.setattr(engine, "cpu_count", lambda: 8)
    with engine.threads(3):
        with engine.threads(None):
            assert engine._pool.get().size == 3
        with engine.threads(1):
            assert engine._pool.get() is None
    with engine.threads(None):
        assert engine._pool.get().size == 1
