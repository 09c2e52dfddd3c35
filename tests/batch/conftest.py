import pytest


@pytest.fixture
def folder(tmp_path):
    """Makes files in a folder: `folder("a.png", "b.jpg")`."""

    def make(*names):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(name.encode())
        return tmp_path

    return make
