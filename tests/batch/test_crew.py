import math
import multiprocessing
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from aiforensics import cluster
from aiforensics.batch import BatchError, Item, Listing, crew, scan_items
from aiforensics.evidence import Refusal


def test_results_keep_the_order_of_the_input(fakes, folder):
    root = folder("0slow.png", *(f"{i}.png" for i in range(1, 8)))
    results = list(scan_items(Listing([root]), fakes.Scanner, workers=2))
    assert [Path(r["path"]).name for r in results] == sorted(f.name for f in root.iterdir())
    assert all(r["verdict"] == "real" for r in results)


def test_a_crash_a_stall_and_a_defect_cost_one_file_each(fakes, folder):
    root = folder("a.png", "b-segfault.png", "c-hang.png", "d-bad.png", "e-bug.png", "f.png", "g-segfault.png", "h.png")
    results = {Path(r["path"]).name: r for r in scan_items(Listing([root]), fakes.Scanner, workers=2, timeout=2.0)}
    kinds = {name: r["error"]["kind"] if "error" in r else r["verdict"] for name, r in results.items()}
    assert kinds == {
        "a.png": "real",
        "b-segfault.png": "unreadable",
        "c-hang.png": "timeout",
        "d-bad.png": "truncated",
        "e-bug.png": "unreadable",
        "f.png": "real",
        "g-segfault.png": "unreadable",
        "h.png": "real",
    }
    assert "SIGSEGV" in results["b-segfault.png"]["error"]["message"]
    assert results["e-bug.png"]["error"]["message"] == "the scan failed: ZeroDivisionError: a defect"
    assert results["c-hang.png"]["error"]["message"] == "no result within 2 s"
    assert not multiprocessing.active_children()


def test_a_refusal_of_the_listing_is_a_result(fakes, tmp_path):
    results = list(scan_items(Listing([tmp_path / "none.png"]), fakes.Scanner, workers=1))
    assert [r["error"]["kind"] for r in results] == ["not-found"]
    assert list(scan_items([], fakes.Scanner)) == []


def test_workers_use_one_thread_and_the_parent_keeps_its_setting(fakes, folder, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    root = folder("threads.png")
    (result,) = scan_items(Listing([root]), fakes.Scanner, workers=1)
    assert result["error"]["message"] == "1"
    assert os.environ["OMP_NUM_THREADS"] == "7"


def test_a_library_that_prints_does_not_reach_standard_output(fakes, folder, capfd):
    (result,) = scan_items(Listing([folder("noisy.png")]), fakes.Scanner, workers=1)
    assert result["verdict"] == "real"
    assert capfd.readouterr().out == ""


def test_a_scanner_that_cannot_be_made_is_one_clear_error(fakes, folder):
    with pytest.raises(BatchError, match="there is no such model"):
        list(scan_items(Listing([folder("a.png")]), fakes.refuse_to_start, workers=1))
    with pytest.raises(BatchError, match="no worker process could start"):
        list(scan_items(Listing([folder("a.png")]), fakes.die_at_start, workers=1))


@pytest.mark.parametrize("as_file", [True, False], ids=["file", "standard input"])
def test_a_script_without_the_guard_is_told_of_it(tmp_path, as_file):
    script = "from aiforensics.batch import Item, scan_items\nlist(scan_items([Item('a', 'a')], dict, workers=1))\n"
    (tmp_path / "script.py").write_text(script)
    command = [sys.executable, "script.py" if as_file else "-"]
    done = subprocess.run(command, input=script, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert 'under if __name__ == "__main__":' in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    "terms", [{"workers": 0}, {"workers": -1}, {"timeout": 0.0}, {"timeout": -1.0}, {"timeout": math.inf}]
)
@pytest.mark.parametrize("scan", [scan_items, cluster.scan_items])
def test_terms_that_no_batch_can_keep_are_refused(fakes, folder, scan, terms):
    with pytest.raises(ValueError, match=f"{next(iter(terms))} is"):
        next(scan(Listing([folder("a.png")]), fakes.Scanner, **terms))


def test_a_timeout_of_years_is_kept(fakes, folder):
    (result,) = scan_items(Listing([folder("slow.png")]), fakes.Scanner, workers=1, timeout=1e9)
    assert result["verdict"] == "real"


def test_input_is_taken_as_it_is_needed_and_closing_ends_the_workers(fakes, folder, monkeypatch):
    monkeypatch.setattr(crew, "AHEAD", 4)
    path = str(folder("a.png") / "a.png")
    taken = 0

    def endless():
        nonlocal taken
        while True:
            taken += 1
            yield Item(path, path)

    results = scan_items(endless(), fakes.Scanner, workers=1)
    assert [next(results)["path"] for _ in range(3)] == [path] * 3
    assert taken <= 3 + 4
    results.close()
    assert not multiprocessing.active_children()


def test_a_slow_item_holds_back_a_bounded_number_of_results(fakes, folder, monkeypatch):
    monkeypatch.setattr(crew, "AHEAD", 3)
    slow = str(folder("slow.png") / "slow.png")
    taken = []

    def items():
        for item in (Item(slow, slow), *[Refusal("x", "unreadable", "y")] * 5):
            taken.append(item)
            yield item

    results = scan_items(items(), fakes.Scanner, workers=2)
    assert next(results)["verdict"] == "real"
    assert len(taken) == 3
    assert [r["path"] for r in results] == ["x"] * 5


@pytest.mark.parametrize("items", [["a.jpg"], "a.jpg", [Path("a.jpg")], [None]])
def test_names_are_no_items(fakes, items):
    with pytest.raises(TypeError, match="give a Listing of names"):
        list(scan_items(items, fakes.Scanner))


@pytest.mark.parametrize(("length", "most"), [(crew.AHEAD_LENGTH, 2000), (1000, 20)])
def test_one_that_stalls_idles_no_worker_until_much_waits_for_it(fakes, folder, monkeypatch, length, most):
    monkeypatch.setattr(crew, "AHEAD_LENGTH", length)
    slow, quick = (str(folder(name) / name) for name in ("hang.png", "a.png"))
    taken = 0

    def items():
        nonlocal taken
        for item in (Item(slow, slow), *[Item(quick, quick)] * 2000):
            taken += 1
            yield item

    results = scan_items(items(), fakes.Scanner, workers=2, timeout=3.0)
    assert next(results)["error"]["kind"] == "timeout"
    results.close()
    assert (taken > 256) == (most == 2000)
    assert taken <= most + 1


def test_whatever_a_worker_says_costs_one_file_at_most(garbling, folder):
    bad = ["deep", "failed", "list", "long", "model", "words"]
    root = folder(*(f"{name}.png" for name in bad), "other.png", "zz.png")
    results = list(scan_items(Listing([root]), garbling.Scanner, workers=2, timeout=30.0))
    kinds = {Path(r["path"]).stem: r["error"]["kind"] if "error" in r else r["verdict"] for r in results}
    assert kinds == {**dict.fromkeys(bad, "unreadable"), "other": "real", "zz": "real"}  # whatever path it names
    assert all("gave no result" in r["error"]["message"] for r in results if "error" in r)
    assert not multiprocessing.active_children()


def test_a_worker_that_stops_in_mid_answer_costs_one_file(garbling, folder):
    root = folder("drip.png", "half.png", "zz.png")
    start = time.monotonic()
    results = list(scan_items(Listing([root]), garbling.Scanner, workers=1, timeout=1.5))
    assert [r["error"]["kind"] if "error" in r else r["verdict"] for r in results] == ["timeout", "timeout", "real"]
    assert time.monotonic() - start < 30
    assert not multiprocessing.active_children()


def test_a_signal_without_a_name_is_told_by_its_number(garbling, folder):
    first, second = scan_items(Listing([folder("signal.png", "zz.png")]), garbling.Scanner, workers=1)
    assert first["error"]["message"] == "this file ended the process that read it (signal 35)"
    assert second["verdict"] == "real"


def test_a_worker_that_babbles_before_it_is_ready_is_a_failed_start(garbling, folder):
    with pytest.raises(BatchError, match="no worker process could start"):
        list(scan_items(Listing([folder("a.png")]), garbling.babble_at_start, workers=1))
