"""What `import mimiod` gives."""

import mimiod


def test_the_package_exports_what_it_imports_and_nothing_else():
    public = {
        name for name, value in vars(mimiod).items() if getattr(value, "__module__", "").startswith("mimiod.")
    }

    assert public == set(mimiod.__all__)
