# The workflow: `just check test` before a push; CI runs .ci/run, which needs no just.

# Lint, format, types and layers.
check:
    uv run ruff check && uv run ruff format --check && uv run mypy && uv run lint-imports

# The whole suite, or a part of it: `just test tests/maimdb --backend sqlite`.
test *arguments:
    uv run pytest {{arguments}}

# Each package's tests against nothing but its wheel.
test-isolated:
    bash .ci/run isolated

# The reference of both packages, from their docstrings, in dist/reference.
docs:
    uv run python scripts/build_reference.py dist/reference

# Wheels and source distributions, in dist/.
build:
    uv build --all-packages

# Format, and fix what can be fixed.
format:
    uv run ruff format && uv run ruff check --fix
