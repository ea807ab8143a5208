"""What has to be scored again, in a small repository and in this one."""

import subprocess
from pathlib import Path

import changes
import pytest


def git(root: Path, *arguments: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "init.defaultBranch=main"]
    done = subprocess.run(
        ["git", "-C", str(root), *who, *arguments], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of two files on its main line."""
    monkeypatch.delenv("HEAP_AUDIT_BASE", raising=False)
    git(tmp_path, "init", "-q")
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    return tmp_path


def test_without_a_base_nobody_knows(root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert changes.changed(root) is None
    assert changes.changed(tmp_path_factory.mktemp("none")) is None
    assert changes.changed(root, "0123456789") is None


def test_the_main_line_is_compared_with_the_last_audit(root: Path) -> None:
    audited = root / changes.AUDITED
    audited.parent.mkdir()
    audited.write_text(git(root, "rev-parse", "HEAD") + "\n")
    (root / "a").write_text("other")
    git(root, "add", ".")
    git(root, "commit", "-qm", "second")
    assert changes.changed(root) == {root / "a", audited}
    audited.write_text("0123456789")
    assert changes.changed(root) is None
    elsewhere = git(root, "commit-tree", "HEAD^{tree}", "-m", "elsewhere")
    audited.write_text(elsewhere)
    assert changes.changed(root) is None


def test_what_a_branch_has_changed_made_and_deleted(root: Path) -> None:
    git(root, "switch", "-qc", "work")
    (root / "c").write_text("c")
    git(root, "add", ".")
    git(root, "commit", "-qm", "second")
    assert changes.changed(root) == {root / "c"}
    (root / "a").write_text("other")
    (root / "b").unlink()
    (root / "d").write_text("d")
    assert changes.changed(root) == {root / name for name in "abcd"}
    assert changes.changed(root, "HEAD") == {root / name for name in "abd"}


def test_the_code_of_a_module_is_what_it_imports_however_deep() -> None:
    code = {
        str(path.relative_to(changes.ROOT)) for path in changes.code_of(["benchmarks.studies.demo"])
    }
    assert {"benchmarks/studies/demo.py", "benchmarks/report.py", "benchmarks/scoring.py"} <= code
    assert any(name.endswith("metrics/masks.py") for name in code)
    others = code - {"benchmarks/studies/__init__.py", "benchmarks/studies/demo.py"}
    assert not any(name.startswith("benchmarks/studies/") for name in others)


def test_a_result_is_scored_if_it_or_its_code_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    results = [changes.ROOT / name for name in ("a.json", "b.json")]
    different: set[Path] | None = {results[1]}
    monkeypatch.setattr(changes, "changed", lambda: different)
    assert changes.to_score(results, ["benchmarks.report"]) == results[1:]
    different = {changes.ROOT / "benchmarks" / "report.py"}
    assert changes.to_score(results, ["benchmarks.studies.demo"]) == results
    assert changes.to_score(results, ["benchmarks.measuring"]) == []
    different = None
    assert changes.to_score(results, []) == results
