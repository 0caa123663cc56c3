"""The sum of the squares of the first numbers, one task a number."""

from dask import delayed


def square(number):
    return number * number


def graph(count):
    return delayed(sum)([delayed(square)(number) for number in range(count)])
