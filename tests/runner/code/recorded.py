"""A graph of which a report is kept, however it ends."""

import os
import signal
import sys
import time

from distributed import get_client, wait


def add(x):
    # In one piece: two processes have one stdout.
    sys.stdout.write(f"printed by task {x}\n")
    return x + 1


def graph(how):
    client = get_client()
    futures = client.map(add, range(50), key=[("add", i) for i in range(50)])
    wait(futures)
    print("printed by the graph")
    os.write(2, b"written by the graph\n")
    if how == "is killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "floods":
        for _ in range(20):
            sys.stdout.write("x" * (1 << 20))
        print("the end of a flood")
    if how == "waits":
        time.sleep(600)
    return sum(client.gather(futures))
