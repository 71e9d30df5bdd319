"""`python -m mimiod` is the command `mimiod`."""

from mimiod.cli import main

if __name__ == "__main__":
    main()
