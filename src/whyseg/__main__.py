"""``python -m whyseg`` is ``whyseg``."""

from whyseg.cli import main

if __name__ == "__main__":
    main()
