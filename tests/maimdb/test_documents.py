"""The package's README: what it shows has run."""

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[2] / "packages/maimdb/README.md"


def test_the_readme_prints_what_it_says(tmp_path):
    text = "".join(re.findall(r"^```python\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL))
    expected = re.findall(r"^ *# (.*)$", text, re.MULTILINE)

    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", text],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ran.stderr == ""
    assert ran.stdout.splitlines() == expected
    assert len(expected) == 7
    assert (tmp_path / "data" / "MaiBot.db").is_file()
