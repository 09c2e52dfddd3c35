"""Networks that are trained side by side."""

import multiprocessing
from dataclasses import replace
from multiprocessing import connection

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
