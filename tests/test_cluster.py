"""The mapper over Ray, against a stand-in for Ray that runs every call in a thread."""

import os
import sys
import threading
import zipfile
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from aiforensics import cluster
from aiforensics.batch import Item, Listing, scan_items


class RayError(Exception):
    pass


class ActorDiedError(RayError):
    pass


class OutOfMemoryError(RayError):
    pass


class ObjectLostError(RayError):
    pass


class TaskError(RayError):
    def __init__(self, cause):
        super().__init__(str(cause))
        self.cause = cause


class Ref:
    """A call in flight."""

    def __init__(self, call, args):
        self.done = threading.Event()
        self.error = self.value = None
        threading.Thread(target=self.work, args=(call, args), daemon=True).start()

    def work(self, call, args):
        path = args[1]
        if "hang" in path:
            return
        losses = {"actor": ActorDiedError(), "crowded": OutOfMemoryError(), "lost": ObjectLostError()}
        self.error = next((error for word, error in losses.items() if word in path), None)
        if not self.error:
            try:
                self.value = call(*args)
            except Exception as error:
                self.error = TaskError(error)
        self.done.set()


@pytest.fixture
def ray(monkeypatch):
    module = ModuleType("ray")
    module.log = []
    module.exceptions = SimpleNamespace(
        RayError=RayError, RayActorError=ActorDiedError, RayTaskError=TaskError, OutOfMemoryError=OutOfMemoryError
    )
    module.is_initialized = lambda: False
    module.init = lambda **settings: module.log.append(settings["address"])
    module.shutdown = lambda: module.log.append("shutdown")
    module.cluster_resources = lambda: {"CPU": 2.0}
    module.kill = lambda actor: module.log.append("kill")

    def remote(**_):
        def wrap(cls):
            def new(*args):
                made = cls(*args)
                return SimpleNamespace(scan=SimpleNamespace(remote=lambda *call: Ref(made.scan, call)))

            return SimpleNamespace(remote=new)

        return wrap

    def wait(refs, timeout):
        first = next((ref for ref in refs if ref.done.wait(timeout / len(refs))), None)
        return ([first] if first else []), [ref for ref in refs if ref is not first]

    def get(ref):
        if ref.error:
            raise ref.error
        return ref.value

    module.remote, module.wait, module.get = remote, wait, get
    monkeypatch.setitem(sys.modules, "ray", module)
    monkeypatch.setattr(cluster, "START_SECONDS", 0.0)
    return module


def test_results_come_in_order_and_a_lost_actor_costs_one_file(ray, fakes, tmp_path):
    names = ["a.png", "b-bad.png", "c-bug.png", "d-hang.png", "e-actor.png", "f.png", "g.png"]
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    results = list(cluster.scan_items(Listing([tmp_path, "missing"]), fakes.Scanner, address="auto", timeout=0.5))
    assert [r["path"] for r in results] == [*(str(tmp_path / name) for name in names), "missing"]
    kinds = [r["error"]["kind"] if "error" in r else r["verdict"] for r in results]
    assert kinds == ["real", "truncated", "unreadable", "timeout", "unreadable", "real", "real", "not-found"]
    assert "ZeroDivisionError: a defect" in results[2]["error"]["message"]
    assert ray.log[0] == "auto"
    assert ray.log[-1] == "shutdown"
    assert ray.log.count("kill") >= 3


def test_a_wrong_model_is_known_before_the_cluster_starts(ray, fakes):
    with pytest.raises(fakes.InputError, match="there is no such model"):
        list(cluster.scan_items([], fakes.refuse_to_start))
    assert ray.log == []


def kinds(results):
    return [result.get("error", {}).get("kind", "found") for result in results]


def test_a_picture_that_the_cluster_loses_costs_itself(ray, fakes, tmp_path):
    for name in ("a-crowded.png", "b-lost.png", "c.png", "d-memory.png"):
        (tmp_path / name).write_bytes(b"x")
    results = list(cluster.scan_items(Listing([tmp_path]), fakes.Scanner))
    assert kinds(results) == ["too-large", "unreadable", "found", "too-large"]
    assert "ObjectLostError" in results[1]["error"]["message"]


class Forged:
    """A finding that a node makes up."""

    def __init__(self, said):
        self.said = said

    def to_dict(self):
        return self.said


def test_what_a_node_says_is_read_as_what_a_local_worker_says(ray, fakes, tmp_path):
    sound = fakes.finding("elsewhere.png").to_dict()
    said = {
        "a.png": sound,
        "b.png": {**sound, "verdict": "sure"},
        "c.png": {**sound, "p_ai": float("nan")},
        "d.png": [],
        "e.png": {**sound, "note": "x" * 9_000_000},
    }
    for name in said:
        (tmp_path / name).write_bytes(b"x")

    class Liar:
        def scan_bytes(self, data, path):
            return Forged(said[Path(path).name])

    results = list(cluster.scan_items(Listing([tmp_path]), Liar))
    assert [result["path"] for result in results] == [str(tmp_path / name) for name in said]
    assert kinds(results) == ["found", *["unreadable"] * 4]
    assert all("gave no result" in result["error"]["message"] for result in results[1:])
    assert ray.log.count("kill") >= 4


def test_a_node_that_answers_with_no_bytes_costs_one_file(ray, fakes, tmp_path, monkeypatch):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"x")
    get = ray.get
    monkeypatch.setattr(ray, "get", lambda ref: {"path": "x"} if b"a.png" in get(ref) else get(ref))
    assert kinds(cluster.scan_items(Listing([tmp_path]), fakes.Scanner)) == ["unreadable", "found"]


def broken_member(path):
    """An archive whose member says it is deflated and is not."""
    with zipfile.ZipFile(path, "w") as out:
        out.writestr(zipfile.ZipInfo("a.jpg"), bytes(range(200)), compress_type=zipfile.ZIP_DEFLATED)
    raw = bytearray(path.read_bytes())
    raw[35] = 0xFF  # the first byte of what is packed
    path.write_bytes(raw)
    return Item(f"{path}!a.jpg", str(path), 0)


def test_what_cannot_be_read_is_refused_as_in_a_local_run(ray, fakes, tmp_path, monkeypatch):
    (tmp_path / "a.png").write_bytes(b"x")
    os.mkfifo(tmp_path / "pipe.png")
    names = ["vanished.png", "pipe.png", "n" * 300, "a.png/b.png"]
    items = [Item(name, str(tmp_path / name)) for name in names]
    items += [Item("folder", str(tmp_path)), broken_member(tmp_path / "broken.zip"), Item("x.zip!a", "x.zip", 7)]
    factory = partial(fakes.GateScanner, "default")
    there = list(cluster.scan_items(items, factory))
    here = list(scan_items(items, factory, workers=1))
    assert [result["error"] for result in there] == [result["error"] for result in here]
    assert kinds(there)[:2] == ["not-found", "unsupported"]


def test_too_little_memory_to_read_a_picture_costs_that_picture(ray, fakes, tmp_path, monkeypatch):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(b"x")
    read = cluster._read

    def forgetful(item):
        if "a.png" in item.path:
            raise MemoryError
        return read(item)

    monkeypatch.setattr(cluster, "_read", forgetful)
    assert kinds(cluster.scan_items(Listing([tmp_path]), fakes.Scanner)) == ["too-large", "found"]
