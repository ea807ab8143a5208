"""The table of faults is that of the tests, and each fault has one."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def faults(root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(root / "tools" / "faults.py"), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_table_is_up_to_date_and_every_fault_has_a_test() -> None:
    checked = faults(ROOT, "--check")
    assert checked.stderr == ""
    assert checked.returncode == 0
    numbers = re.findall(r"^\| (F\d\d) ", (ROOT / "docs" / "faults.md").read_text("utf-8"), re.M)
    assert numbers == [f"F{number:02d}" for number in range(1, 53)]


def test_a_fault_without_a_test_and_a_table_of_before_are_said(tmp_path: Path) -> None:
    for name in ("accidents.py", "faults.py", "faults.toml"):
        (tmp_path / "tools").mkdir(exist_ok=True)
        shutil.copy(ROOT / "tools" / name, tmp_path / "tools")
    for folder in ("docs", "tests"):
        (tmp_path / folder).mkdir()
    (tmp_path / "README.md").write_text("# A\n\n## Promises\n\n- All is\n  well.\n\n## B\n")
    marks = '@pytest.mark.fault("F01", "F99")\n@pytest.mark.accident(1, "It fell")\n'
    test = f"{marks}def test_it(): ...\n"
    (tmp_path / "tests" / "test_one.py").write_text(test)
    written = faults(tmp_path)
    assert written.returncode == 1
    assert "no test is marked F02\n" in written.stderr
    assert "F01" not in written.stderr
    assert "test_it is marked F99, which is no fault" in written.stderr
    assert "no accident is marked 2\n" in written.stderr
    assert "tests/test_one.py::test_it is not as it was run" in written.stderr
    assert "there is no test tests/unit/test_identity.py::test_a_second_folder" in written.stderr
    assert "the promises of README.md are not those of tools/faults.toml" in written.stderr
    assert "[test_it](../tests/test_one.py)" in (tmp_path / "docs" / "faults.md").read_text("utf-8")
    (tmp_path / "tests" / "test_one.py").write_text(test.replace("test_it", "test_that"))
    assert "out of date" in faults(tmp_path, "--check").stderr
