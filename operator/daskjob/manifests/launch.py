"""How the processes of a job start in their containers."""

from __future__ import annotations

import inspect

from daskjob.runner import checked_files

#: Starts the runner's program (`runner.__main__`) from a copy that was compared with its digest. Arguments: that of
#: `runner.checked_files.copy_checked`, with the program's folder first, and the program's own. Until the program is
#: first on the path, nothing is imported from the working folder, as if Python had been given the program's file.
RUN = f"""\
import sys
if sys.path[:1] == ['']:
    del sys.path[0]
{inspect.getsource(checked_files)}
program = next(iter(copy_checked(sys.argv.pop(1)).values())) + '/runner.pyz'
sys.argv[0] = program
sys.path.insert(0, program)
from daskjob.runner.__main__ import main
sys.exit(main(sys.argv[1:]))
"""
