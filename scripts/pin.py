"""Write the versions that resolve today into `constraint-dependencies` of pyproject.toml."""

import re
import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def main() -> None:
    """Resolve without the present pins, and write what came out."""
    project = ROOT / "pyproject.toml"
    text = project.read_text(encoding="utf-8")
    none = "constraint-dependencies = []"
    unpinned = re.sub(r"constraint-dependencies = \[.*?\]", none, text, flags=re.DOTALL)
    project.write_text(unpinned, encoding="utf-8")
    try:
        subprocess.run(["uv", "lock", "--upgrade", "--quiet"], cwd=ROOT, check=True)  # noqa: S607
    except (OSError, subprocess.CalledProcessError) as exc:
        project.write_text(text, encoding="utf-8")
        raise SystemExit(f"nothing is pinned anew: {exc}") from exc
    packages = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]
    versions: dict[str, list[str]] = {}
    for package in packages:
        if "registry" in package["source"]:
            versions.setdefault(package["name"], []).append(package["version"])
    # A package that resolves to several versions, by Python or platform, is left to the resolver.
    single = {name: found[0] for name, found in sorted(versions.items()) if len(found) == 1}
    pins = "".join(f'    "{name}=={version}",\n' for name, version in single.items())
    project.write_text(
        unpinned.replace(none, f"constraint-dependencies = [\n{pins}]"),
        encoding="utf-8",
    )
    print(f"{len(single)} versions pinned in {project}")


if __name__ == "__main__":
    main()
