#!/usr/bin/env python3
"""Classifies files with drsn-serve; needs nothing but Python 3.9.

    examples/classify.py tests/data/seven.png
    examples/classify.py --model bearing --option sample_rate_hz=48000 recording.wav

DRSN_API_KEY holds the key, if the server asks for one. The exit code is 1 if a file was not
classified.
"""

import argparse
import http.client
import json
import mimetypes
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

TYPES = {
    ".npy": "application/x-npy",
    ".npz": "application/x-npz",
    ".mat": "application/x-matlab-data",
    ".csv": "text/csv",
    ".wav": "audio/wav",
    ".f32": "application/octet-stream",
}
TRIES = 5


class Refused(Exception):
    """The server's sentence that says what was wrong."""


def content_type_of(path):
    """The media type to send a file as, by the ending of its name."""
    ending = os.path.splitext(path)[1].lower()
    return TYPES.get(ending) or mimetypes.guess_type(path)[0] or "application/octet-stream"


def address(server, model, options):
    """Where to send inputs; `options` are texts NAME=VALUE."""
    path = f"/models/{urllib.parse.quote(model, safe='')}/classify" if model else "/classify"
    query = urllib.parse.urlencode([option.partition("=")[::2] for option in options])
    return f"{server.rstrip('/')}{path}?{query}"


def classify(url, body, content_type):
    """The answer to one body; waits and retries if the server is full or shutting down."""
    headers = {"Content-Type": content_type}
    if "DRSN_API_KEY" in os.environ:
        headers["Authorization"] = "Bearer " + os.environ["DRSN_API_KEY"]
    for left in reversed(range(TRIES)):
        request = urllib.request.Request(url, data=body, headers=headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            if error.code not in (429, 503) or left == 0:
                raise Refused(reason(error)) from None
            time.sleep(float(error.headers.get("Retry-After", 1)))
        except (urllib.error.URLError, http.client.HTTPException, ConnectionError) as error:
            # A request changes nothing, so it may be sent again.
            if left == 0:
                raise Refused(f"no answer from {url}: {getattr(error, 'reason', error)}") from None
            time.sleep(1)


def reason(error):
    """What the problem details say, or a proxy in front of the server."""
    text = error.read()
    try:
        return json.loads(text)["detail"]
    except (ValueError, KeyError, TypeError):
        return f"{error.code} {error.reason}"


def show(name, answer):
    for prediction in answer["predictions"]:
        print(f"{name}: {prediction['label']} ({prediction['probability']:.1%})")
        diagnostics = prediction.get("diagnostics", {})
        shift = diagnostics.get("input_shift")
        if shift and shift["alarm"]:
            print("  unlike the data that the network was trained on")
        level = diagnostics.get("input_level")
        if level and level["alarm"]:
            print("  its level is unusual: check the sensor")
        for block in diagnostics.get("blocks", []):
            if block["threshold"]:
                print(
                    f"  {block['name']}: thresholds of {block['threshold']['mean']:.3f} on average"
                )


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("files", nargs="+")
    parser.add_argument("--server", default="http://localhost:8080")
    parser.add_argument("--model", help="name of the model; by default the server's default model")
    parser.add_argument(
        "--option", action="append", default=[], metavar="NAME=VALUE", help="such as top_k=3"
    )
    parser.add_argument("--json", action="store_true", help="print whole answers")
    arguments = parser.parse_args()
    url = address(arguments.server, arguments.model, arguments.option)
    failed = 0
    for name in arguments.files:
        try:
            with open(name, "rb") as file:
                answer = classify(url, file.read(), content_type_of(name))
        except (Refused, OSError) as error:
            failed += 1
            print(f"{name}: {error}", file=sys.stderr)
            continue
        if arguments.json:
            print(json.dumps(answer))
        else:
            show(name, answer)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
