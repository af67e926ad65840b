"""`python -m merprep`: the command line, where the installed command is not on the path."""

from merprep.cli import main

main()
