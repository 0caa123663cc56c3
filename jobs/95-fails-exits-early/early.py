"""Leaves the program before there is a result."""

import sys


def main():
    print("nothing to do today")
    sys.exit(0)
