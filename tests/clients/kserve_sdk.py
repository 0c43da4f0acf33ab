"""The KServe SDK over REST, with numbers in JSON and as bytes, and over gRPC."""

import asyncio

from checks import GRPC, HTTP, INPUT, OUTPUTS, check, missing, refused

try:
    from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig
except ModuleNotFoundError as error:
    missing(error)

URL = f"http://{HTTP}"


def request(model="tiny", binary=False):
    tensor = InferInput("input", list(INPUT.shape), "FP32")
    tensor.set_data_from_numpy(INPUT, binary_data=binary)
    return InferRequest(model, [tensor], request_id="a")


def probabilities(response):
    assert response.id == "a" and [output.name for output in response.outputs] == OUTPUTS
    return response.outputs[0].as_numpy()


async def refused_async(call, *words):
    try:
        result = await call
    except Exception as error:
        refused(lambda: (_ for _ in ()).throw(error), *words)
    else:
        raise AssertionError(f"the call was answered: {result}")


async def rest():
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    assert await client.is_server_live(URL) and await client.is_server_ready(URL)
    assert await client.is_model_ready(URL, "tiny")
    for binary in (False, True):
        check(probabilities(await client.infer(URL, request(binary=binary), model_name="tiny")))
    await refused_async(client.infer(URL, request("none"), model_name="none"), "404")


async def grpc():
    client = InferenceGRPCClient(GRPC)
    assert await client.is_server_live() and await client.is_server_ready()
    assert await client.is_model_ready("tiny")
    for binary in (False, True):
        check(probabilities(await client.infer(request(binary=binary))))
    await refused_async(client.infer(request("none")), "NOT_FOUND")
    await client.close()


asyncio.run(rest())
asyncio.run(grpc())
