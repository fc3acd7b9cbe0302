"""The threads that answer gRPC requests: how many there are, and who does what."""

from __future__ import annotations

import threading
from concurrent.futures import wait

import pytest

from packager.serving.rpc.workers import Workers

PATIENCE = 30


def test_work_is_done_by_no_more_threads_than_were_asked_for():
    workers, gate = Workers(3), threading.Event()
    at_work, seen = threading.Semaphore(0), []

    def work(number: int) -> int:
        at_work.release()
        gate.wait(PATIENCE)
        seen.append(threading.get_ident())
        return number

    futures = [workers.submit(work, number) for number in range(20)]
    assert all(at_work.acquire(timeout=PATIENCE) for _ in range(3))
    assert not at_work.acquire(timeout=0.05)
    gate.set()
    assert [future.result(PATIENCE) for future in futures] == list(range(20))
    assert len(set(seen)) <= 3


def test_the_thread_that_was_idle_last_gets_the_next_work():
    workers, gate = Workers(4), threading.Event()
    wait([workers.submit(gate.wait, 0.01) for _ in range(4)], PATIENCE)
    lasting = workers.submit(gate.wait, PATIENCE)  # the others idle
    threads = set()
    for _ in range(20):
        threads.add(workers.submit(threading.get_ident).result(PATIENCE))
        threading.Event().wait(0.005)  # until it is idle again
    gate.set()
    assert lasting.result(PATIENCE)
    assert len(threads) == 1


def test_a_failure_is_raised_where_the_result_is_asked_for_and_ends_no_thread():
    workers = Workers(1)
    failed = workers.submit(int, "x")
    with pytest.raises(ValueError, match="invalid literal"):
        failed.result(PATIENCE)
    assert workers.submit(int, "7", base=8).result(PATIENCE) == 7


def test_many_at_once_are_all_done():
    workers, counted, lock = Workers(8), [0], threading.Lock()

    def count() -> None:
        with lock:
            counted[0] += 1

    def bring() -> None:
        wait([workers.submit(count) for _ in range(500)], PATIENCE)

    bringing = [threading.Thread(target=bring) for _ in range(4)]
    for thread in bringing:
        thread.start()
    for thread in bringing:
        thread.join(PATIENCE)
    assert counted == [2000]
