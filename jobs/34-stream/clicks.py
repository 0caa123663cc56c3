"""A stream of clicks: work is submitted as they come, never more than a few batches at a time."""

import itertools
from collections import Counter

from distributed import as_completed

PAGES = ("/", "/docs", "/prices", "/about")
#: Batches on their way at most: while so many are, the source is not read.
AT_ONCE = 8


def source():
    """Clicks without end, in batches of one minute."""
    for minute in itertools.count():
        yield (
            minute,
            [f"{minute} GET {PAGES[minute * number % 4]} {200 if number % 7 else 500}" for number in range(50)],
        )


def parse(lines):
    return [line.split() for line in lines]


def count_pages(clicks):
    return Counter(page for _, _, page, _ in clicks)


def count_errors(clicks):
    return sum(status == "500" for *_, status in clicks)


def join(minute, pages, errors):
    return {"minute": minute, "pages": pages, "errors": errors}


def submit(client, minute, lines):
    """The pipeline of one batch: it branches after the first step, and joins."""
    clicks = client.submit(parse, lines)
    pages, errors = client.submit(count_pages, clicks), client.submit(count_errors, clicks)
    return client.submit(join, minute, pages, errors)


def main(client, minutes):
    pages, errors, most = Counter(), 0, 0
    on_their_way = as_completed(with_results=True)
    batches = itertools.islice(source(), minutes)
    ended = False
    while not ended or on_their_way.count():
        while not ended and on_their_way.count() < AT_ONCE:
            batch = next(batches, None)
            if batch is None:
                ended = True
            else:
                on_their_way.add(submit(client, *batch))
        most = max(most, on_their_way.count())
        if on_their_way.count():
            _, minute = next(on_their_way)
            pages += minute["pages"]
            errors += minute["errors"]
    return {"pages": dict(sorted(pages.items())), "errors": errors, "batches at once, at most": most}
