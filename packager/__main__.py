"""``python -m packager``: the same as the command."""

from packager.cli import main

main()
