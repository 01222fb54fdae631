"""`python -m distill`: the same as the `distill` command. Imported by nobody; there so that a venv without scripts works."""

from distill.cli import main

if __name__ == "__main__":
    main()
