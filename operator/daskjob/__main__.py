"""`python -m daskjob` starts the operator."""

from daskjob.operator.main import main

if __name__ == "__main__":
    main()
