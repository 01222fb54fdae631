"""`python -m distill`: the same as the `distill` command. Imported by nobody; for environments without scripts."""

from distill.cli import main

if __name__ == "__main__":
    main()
