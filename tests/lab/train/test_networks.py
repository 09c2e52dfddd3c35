"""Networks that are trained side by side."""

import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import time
from dataclasses import replace
from multiprocessing import connection
from pathlib import Path

import pytest

pytestmark = pytest.mark.train
torch = pytest.importorskip("torch")

from aiforensics.lab.train.networks import NetworkJob, train_networks  # noqa: E402
from aiforensics.lab.train.recipes import RecipeError  # noqa: E402


@pytest.fixture(scope="module")
def samples(lattices):
    return lattices


def test_networks_side_by_side_are_the_same_as_one_by_one(samples, tmp_path, tiny):
    def jobs(name):
        return [NetworkJob(f"{k}", tmp_path / name / str(k), samples, replace(tiny, seed=k)) for k in range(2)]

    lines = []
    side_by_side = train_networks(jobs("a"), 2, lines.append)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        one_by_one = train_networks(jobs("b"), 1, lines.append)
    finally:
        torch.set_num_threads(threads)
    assert side_by_side == one_by_one
    assert any("val AUC" in line for line in lines)


def test_an_error_ends_the_networks_beside_it(samples, tmp_path, tiny):
    long = replace(tiny, steps=400, check_every=200)
    jobs = [NetworkJob(f"{k}", tmp_path / str(k), samples, replace(long, seed=k)) for k in range(3)]
    jobs[0] = replace(jobs[0], weights=str(tmp_path / "lost.safetensors"))
    with pytest.raises(FileNotFoundError):
        train_networks(jobs, 2, lambda _line: None)
    for worker in multiprocessing.active_children():
        assert connection.wait([worker.sentinel], 20), "it goes on"
    assert not list(tmp_path.glob("*/history.json"))


def test_a_killed_worker_is_one_line(samples, tmp_path, tiny):
    long = replace(tiny, steps=400, check_every=200)
    jobs = [NetworkJob(f"{k}", tmp_path / str(k), samples, replace(long, seed=k)) for k in range(2)]
    others = set(multiprocessing.active_children())

    def kill(_line):
        for worker in set(multiprocessing.active_children()) - others:
            worker.kill()

    with pytest.raises(RecipeError, match=r"was killed, .* give fewer --workers"):
        train_networks(jobs, 2, kill)


KILLED = """
import multiprocessing, pickle, sys
from pathlib import Path
from aiforensics.lab.train.networks import train_networks

def tell(line):
    print(*(worker.pid for worker in multiprocessing.active_children()), flush=True)

if __name__ == "__main__":
    train_networks(pickle.loads(Path(sys.argv[1]).read_bytes()), 2, tell)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the states of processes in /proc")
def test_no_worker_outlives_a_run_that_was_killed(samples, tmp_path, tiny):
    long = replace(tiny, steps=100_000, check_every=100_000)
    jobs = [NetworkJob(f"{k}", tmp_path / str(k), samples, replace(long, seed=k)) for k in range(2)]
    (tmp_path / "jobs").write_bytes(pickle.dumps(jobs))
    (tmp_path / "run.py").write_text(KILLED)
    command = [sys.executable, str(tmp_path / "run.py"), str(tmp_path / "jobs")]
    paths = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=paths) as run:
        workers = run.stdout.readline().split()
        run.kill()
        assert len(workers) == 2

    def runs(worker):
        stat = Path("/proc", worker, "stat")
        return stat.exists() and stat.read_text().rsplit(")", 1)[1].split()[0] not in "ZX"

    until = time.monotonic() + 20
    while any(map(runs, workers)) and time.monotonic() < until:
        time.sleep(0.1)
    left = [worker for worker in workers if runs(worker)]
    for worker in left:
        os.kill(int(worker), signal.SIGKILL)
    assert not left


def test_a_finished_network_of_other_settings_or_pictures_is_refused(samples, tmp_path, tiny):
    lines = []
    job = NetworkJob("one", tmp_path, samples, tiny)
    history = train_networks([job], 1, lines.append)
    assert train_networks([job], 1, lines.append) == history
    cut = [replace(samples[0], split="test"), *samples[1:]]
    for others in (samples[1:], [s for s in cut if s.split != "test"]):
        with pytest.raises(RecipeError, match=r"trained on other pictures or another split: name another --work"):
            train_networks([replace(job, samples=others)], 1, lines.append)
    with pytest.raises(RecipeError, match=r"steps 4, now 5.*--work"):
        train_networks([replace(job, config=replace(tiny, steps=5))], 1, lines.append)
