"""`python -m daskjob.cli`."""

from daskjob.cli import main

main()
