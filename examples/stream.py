#!/usr/bin/env python3
"""Classifies a signal while it is measured, over gRPC; a WAV file of 16 bits plays the sensor.

    pip install grpcio grpcio-reflection
    examples/stream.py --model bearing recording.wav

Each full window is answered as soon as its last sample has arrived. DRSN_API_KEY holds the key, if
the server asks for one.
"""

import argparse
import array
import os
import sys
import time
import wave

import grpc
from google.protobuf import message_factory
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

PIECE_SECONDS = 0.05


def pieces(file, paced):
    """The file's samples in pieces, in [-1, 1): all of one channel, then those of the next."""
    while frames := file.readframes(max(1, int(file.getframerate() * PIECE_SECONDS))):
        samples = array.array("h", frames)
        if sys.byteorder == "big":
            samples.byteswap()
        channels = [
            samples[channel :: file.getnchannels()] for channel in range(file.getnchannels())
        ]
        yield [sample / 32768 for channel in channels for sample in channel]
        if paced:
            time.sleep(PIECE_SECONDS)


def requests(message, file, options):
    """The start of the stream, then its samples."""
    request = message()
    request.start.model = options.model
    request.start.sample_rate_hz = file.getframerate()
    request.start.channels = file.getnchannels()
    request.start.overlap = options.overlap
    yield request
    for samples in pieces(file, options.paced):
        request = message()
        request.samples.planar.extend(samples)
        yield request


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", help="a WAV file of 16 bits at the model's sample rate")
    parser.add_argument("--server", default="localhost:9000", help="address of gRPC")
    parser.add_argument(
        "--model", default="", help="name of the model; by default the server's default model"
    )
    parser.add_argument(
        "--overlap", type=float, default=0.0, help="share of a window that the next one repeats"
    )
    parser.add_argument(
        "--paced", action="store_true", help="send samples at the speed of a sensor"
    )
    options = parser.parse_args()
    key = os.environ.get("DRSN_API_KEY")
    metadata = [("authorization", f"Bearer {key}")] if key else []
    with grpc.insecure_channel(options.server) as channel, wave.open(options.file) as file:
        if file.getsampwidth() != 2:
            sys.exit(
                f"{options.file}: expected samples of 16 bits, found {8 * file.getsampwidth()} bits"
            )
        # The server describes its messages itself: nothing has to be generated.
        service = DescriptorPool(ProtoReflectionDescriptorDatabase(channel)).FindServiceByName(
            "drsn.v1.Classifier"
        )
        method = service.methods_by_name["ClassifyStream"]
        call = channel.stream_stream(
            "/drsn.v1.Classifier/ClassifyStream",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=message_factory.GetMessageClass(method.output_type).FromString,
        )
        request = message_factory.GetMessageClass(method.input_type)
        try:
            for answer in call(requests(request, file, options), metadata=metadata):
                if answer.HasField("end"):
                    print(f"{answer.end.windows} windows, {answer.end.left_over} samples left over")
                    continue
                window, best = answer.prediction, answer.prediction.prediction
                alarm = ", unlike the training data" if best.diagnostics.input_shift.alarm else ""
                print(
                    f"{window.start} to {window.end}: {best.label} ({best.probability:.1%}){alarm}",
                    flush=True,
                )
        except grpc.RpcError as error:
            sys.exit(f"{options.file}: {error.details()}")


if __name__ == "__main__":
    main()
