"""Health, reflection, and the classifier by the messages that reflection describes."""

from checks import GRPC, INPUT, check, missing

try:
    import grpc
    from google.protobuf import message_factory
    from google.protobuf.descriptor_pool import DescriptorPool
    from grpc_health.v1 import health_pb2, health_pb2_grpc
    from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
except ModuleNotFoundError as error:
    missing(error)

SERVICES = ["inference.GRPCInferenceService", "drsn.v1.Classifier"]

with grpc.insecure_channel(GRPC) as channel:
    health = health_pb2_grpc.HealthStub(channel)
    for service in ["", *SERVICES]:
        answer = health.Check(health_pb2.HealthCheckRequest(service=service))
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
    try:
        health.Check(health_pb2.HealthCheckRequest(service="none"))
        raise AssertionError("an unknown service has no health")
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.NOT_FOUND
    watched = next(iter(health.Watch(health_pb2.HealthCheckRequest(service=""))))
    assert watched.status == health_pb2.HealthCheckResponse.SERVING

    database = ProtoReflectionDescriptorDatabase(channel)
    listed = database.get_services()
    for service in [*SERVICES, "grpc.health.v1.Health"]:
        assert service in listed, listed
    pool = DescriptorPool(database)
    classifier = pool.FindServiceByName("drsn.v1.Classifier")
    classify = classifier.methods_by_name["Classify"]
    request = message_factory.GetMessageClass(classify.input_type)()
    request.tensor.shape.extend(INPUT.shape)
    request.tensor.values.extend(INPUT.flatten().tolist())
    call = channel.unary_unary(
        "/drsn.v1.Classifier/Classify",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=message_factory.GetMessageClass(classify.output_type).FromString,
    )
    answer = call(request)
    assert answer.model.name == "tiny" and len(answer.predictions) == len(INPUT)
    rows = [sorted(p.probabilities, key=lambda c: c.class_index) for p in answer.predictions]
    check([[c.probability for c in row] for row in rows])
