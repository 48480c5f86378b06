"""A class graded by other machines: a Dask cluster whose workers each have an engine of their own.

The journal and all results stay with whoever began. A worker gets a parcel and returns a result with records.
"""

from __future__ import annotations

import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

import lab
from lab.core.errors import DiskFullError, UsageError
from lab.grade.intake import opened_batch
from lab.grade.parcel import Parcel, Returned, files_in, lay, write
from lab.grade.place import Images, Lot, Say, Watcher
from lab.grade.pool import Came, graded
from lab.grade.reading import Assigned
from lab.grade.task import Answer, Task
from lab.grade.worker import Finder, Found

if TYPE_CHECKING:
    from dask.typing import Key
    from distributed import Client, Future

_CONNECT_SECONDS = 10
_AHEAD = 2
"""Parcels that are under way for each one that is being graded: no worker waits, and memory is bounded."""


class _Flight(Struct, frozen=True):
    """A parcel that is under way, and the worker where it came to nothing before."""

    parcel: Parcel
    failed_at: str = ""


@contextmanager
def connected(address: str) -> Iterator[Cluster]:
    """A cluster by the address of its scheduler, such as ``tcp://10.0.0.5:8786``. UsageError."""
    try:
        from distributed import Client
    except ImportError as error:
        what = "grading on a cluster needs the library distributed"
        raise UsageError("no-distributed", what, fix='pip install "tcp-lab[cluster]"') from error
    try:
        client = Client(address, set_as_default=False, timeout=_CONNECT_SECONDS)
    except (OSError, ValueError) as error:
        what = f"no scheduler answers: {str(error) or type(error).__name__}"
        fix = "start one with `dask scheduler`, and give the address that it prints"
        raise UsageError("no-scheduler", what, where=f"--scheduler {address}", fix=fix) from error
    with client:
        if not client.nthreads():
            fix = f"on each machine with an engine: `dask worker {address} --nthreads 2`"
            raise UsageError(
                "no-workers", "the cluster has no workers", where=f"--scheduler {address}", fix=fix
            )
        yield Cluster(client)


class Cluster:
    """Workers that grade."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._unfit: set[str] = set()
        """Workers whose engine was in trouble: they get nothing while there are others."""

    @property
    def workers(self) -> Mapping[str, int]:
        """The addresses of the workers there are now, and how many submissions each grades at once."""
        return dict(self._client.nthreads())

    @property
    def jobs(self) -> int:
        """How many submissions the workers grade at once."""
        return max(1, sum(self.workers.values()))

    def images(self, assigned: Assigned, languages: Sequence[str], watcher: Watcher) -> Images:  # noqa: ARG002
        """Each worker has those that it needs: nothing is known of them here."""
        return Images()

    def graded(self, lot: Lot, tasks: Sequence[Task], jobs: int, say: Say) -> Iterator[Came]:  # noqa: ARG002
        """Grade all, so many at once; each answer as it comes, its records written.

        A worker that dies costs its submissions another try elsewhere, and so does an engine in trouble.

        Raises:
            DiskFullError: there is no room for records.
        """
        with opened_batch(lot.submissions) as batch:
            yield from self._graded(lot, tasks, jobs, Finder(lot.assigned, batch).find)

    def _graded(
        self, lot: Lot, tasks: Sequence[Task], jobs: int, find: Callable[[Task], Found | None]
    ) -> Iterator[Came]:
        from distributed import as_completed

        waiting = deque(tasks)
        most = jobs * _AHEAD if jobs > 1 else 1
        flights: dict[Key, _Flight] = {}
        coming = as_completed(loop=self._client.loop)
        try:
            while True:
                while waiting and len(flights) < most:
                    task = waiting.popleft()
                    found = find(task)
                    if found is None:
                        yield Came(task, Answer("changed"), 0.0)
                        continue
                    coming.add(self._send(_Flight(Parcel(lab.__version__, *found, task)), flights))
                if not flights:
                    return
                future = next(coming)
                flight = flights.pop(future.key)
                returned = _result(future)
                if again := self._elsewhere(flight, returned):
                    coming.add(self._send(again, flights))
                    continue
                lay(returned.records, lot.records)
                yield Came(flight.parcel.task, returned.answer, returned.seconds)
        finally:
            coming.clear()
            self._client.cancel(list(flights))

    def _send(self, flight: _Flight, flights: dict[Key, _Flight]) -> Future[Returned]:
        workers = set(self.workers)
        fit = workers - self._unfit - {flight.failed_at}
        future = self._client.submit(
            grade_parcel, flight.parcel, pure=False, workers=sorted(fit or workers), allow_other_workers=True
        )
        flights[future.key] = flight
        return future

    def _elsewhere(self, flight: _Flight, returned: Returned) -> _Flight | None:
        """The parcel for another worker, where the trouble may be that of one engine."""
        others = self.workers.keys() - {returned.by}
        if not returned.by or not _is_in_trouble(returned.answer):
            return None
        self._unfit.add(returned.by)
        if flight.failed_at or not others:
            return None
        return _Flight(flight.parcel, returned.by)


def _is_in_trouble(answer: Answer) -> bool:
    """Whether the grader came to nothing for a reason of its own that may be another one elsewhere."""
    if answer.graded is None:
        return answer.kind == "trouble"
    runs = (run for case in answer.graded.cases for run in case.runs)
    return any(run.outcome == "trouble" and not run.final for run in runs)


def _result(future: Future[Returned]) -> Returned:
    """What a worker gave back; trouble if the workers that had the parcel died."""
    error = future.exception()
    if error is None:
        return future.result()
    return Returned(Answer("trouble", f"no worker of the cluster graded it: {error}"), 0.0, (), "")


def grade_parcel(parcel: Parcel) -> Returned:
    """Grade one submission beside this worker's engine, in a process of its own."""
    from distributed import get_worker

    by = get_worker().address
    if parcel.lab != lab.__version__:
        what = f"the worker at {by} has version {lab.__version__} of the lab, not {parcel.lab}"
        return Returned(Answer("trouble", what), 0.0, (), by)
    with tempfile.TemporaryDirectory(prefix="lab-") as place:
        file, records = Path(place) / "parcel", Path(place) / "records"
        records.mkdir()
        write(parcel, file)
        try:
            (came,) = graded([parcel.task], 1, ("--parcel", str(file), str(records)), lambda *_: None)
        except DiskFullError as error:
            return Returned(Answer("trouble", str(error)), 0.0, (), by)
        return Returned(came.answer, came.seconds, files_in(records), by)
