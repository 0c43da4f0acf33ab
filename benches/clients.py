"""Measures what a request costs a running server: `python3 benches/clients.py PID`, with its process id.

Keep-alive clients send the README's digit as PNG, as raw floats and as JSON; the cost is the
process's CPU time. Then bodies of 1 to 64 digits show the network's time per input, from
`timing.inference_us` (start the server with --max-batch 64 for that). The rounds are interleaved;
it prints medians. It needs only the standard library, and Linux.
"""

import http.client
import json
import pathlib
import random
import statistics
import struct
import sys
import threading
import time

PID = int(sys.argv[1])
ADDRESS = ("127.0.0.1", 8080)
REQUESTS, ROUNDS = 1600, 5
PIXELS = [random.Random(1).random() for _ in range(784)]
SEVEN = pathlib.Path(__file__).parent.parent / "tests/data/seven.png"
RAW = struct.pack("<784f", *PIXELS)
ROWS = [PIXELS[start : start + 28] for start in range(0, 784, 28)]
FLOATS = "application/octet-stream"
BODIES = {
    "png": ("image/png", SEVEN.read_bytes()),
    "raw": (FLOATS, RAW),
    "json": ("application/json", json.dumps({"tensor": [ROWS]}).encode()),
}


def cpu_seconds():
    with open(f"/proc/{PID}/stat") as stat:
        fields = stat.read().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def post(connection, path, content_type, body):
    connection.request("POST", path, body, {"content-type": content_type})
    response = connection.getresponse()
    answer = response.read()
    assert response.status == 200, answer
    return answer


def requests(kind, clients):
    def client():
        connection = http.client.HTTPConnection(*ADDRESS)
        for _ in range(REQUESTS // clients):
            post(connection, "/classify", *BODIES[kind])

    threads = [threading.Thread(target=client) for _ in range(clients)]
    cpu, clock = cpu_seconds(), time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return (cpu_seconds() - cpu) / REQUESTS * 1e6, REQUESTS / (time.monotonic() - clock)


def inference(connection, batch):
    path = f"/classify?diagnostics=none&top_k=1&batch={batch}"
    timing = json.loads(post(connection, path, FLOATS, RAW * batch))["timing"]
    return timing["inference_us"] / timing["batch_size"]


def main():
    results = {}
    for _ in range(ROUNDS):
        for kind in BODIES:
            for clients in (1, 8, 32):
                results.setdefault((kind, clients), []).append(requests(kind, clients))
    for (kind, clients), rounds in results.items():
        cpu, rate = (statistics.median(column) for column in zip(*rounds))
        print(f"{kind:4} {clients:2} clients: {cpu:4.0f} us CPU a request, {rate:5.0f} requests/s")
    connection, costs = http.client.HTTPConnection(*ADDRESS), {}
    for _ in range(8 * ROUNDS):
        for batch in (1, 2, 4, 8, 16, 32, 64):
            costs.setdefault(batch, []).append(inference(connection, batch))
    for batch, rounds in costs.items():
        print(f"body of {batch:2}: {statistics.median(rounds):4.0f} us an input")


main()
