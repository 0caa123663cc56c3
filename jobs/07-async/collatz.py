"""A coroutine function: it is awaited, and so is what its client gives."""

import asyncio


def collatz(number):
    """Steps until `number` has come down to 1."""
    steps = 0
    while number != 1:
        number = number // 2 if number % 2 == 0 else 3 * number + 1
        steps += 1
    return steps


async def main(client, upto):
    futures = client.map(collatz, range(1, upto))
    (steps, other) = await asyncio.gather(client.gather(futures), client.submit(collatz, 97))
    longest = max(range(len(steps)), key=steps.__getitem__)
    return {"number": longest + 1, "steps": steps[longest], "of 97": other}
