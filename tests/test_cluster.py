"""The mapper over Ray, against a stand-in for Ray that runs every call in a thread."""

import sys
import threading
from types import ModuleType, SimpleNamespace

import pytest

from aiforensics import cluster
from aiforensics.batch import Listing


class ActorDiedError(Exception):
    pass


class TaskError(Exception):
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
        try:
            self.value = call(*args)
        except Exception as error:
            self.error = ActorDiedError() if "actor" in path else TaskError(error)
        self.done.set()


@pytest.fixture
def ray(monkeypatch):
    module = ModuleType("ray")
    module.log = []
    module.exceptions = SimpleNamespace(RayActorError=ActorDiedError, RayTaskError=TaskError)
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
    names = ["a.png", "b-bad.png", "c-bug.png", "d-hang.png", "e-actor-bug.png", "f.png", "g.png"]
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
