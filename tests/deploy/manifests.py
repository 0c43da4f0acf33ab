"""Checks Kubernetes resources with Python's packages: YAML on standard input, a JSON list on output.

`manifests.py` validates the kinds of Kubernetes itself against the schemas of kubernetes-validate,
strictly and with warnings as failures. `manifests.py kserve` reads every resource as the kserve
package's type of its kind and writes it again; nothing may be lost on the way.
"""

import json
import sys

MISSING_PACKAGES = 77
try:
    import yaml

    if sys.argv[1:] == ["kserve"]:
        import kserve.models
        import kubernetes.client.models
    else:
        import kubernetes_validate
except ModuleNotFoundError as error:
    print(f"not installed: {error.name}", file=sys.stderr)
    sys.exit(MISSING_PACKAGES)

# Kinds of other projects: Kubernetes has no schema of them.
CUSTOM = {"keda.sh", "monitoring.coreos.com"}
# The oldest Kubernetes whose kubelet sleeps before a stop by default.
OLDEST = "1.30.0"


def validate(resource):
    if resource["apiVersion"].split("/")[0] in CUSTOM:
        return
    for version in (OLDEST, kubernetes_validate.latest_version()):
        # A missing schema, which the command would only warn of, is an exception here.
        kubernetes_validate.validate(resource, version, strict=True)


class Text:
    """An answer of the API, as Kubernetes' client reads it."""

    def __init__(self, resource):
        self.data = json.dumps(resource)


def read_and_write(resource):
    """The resource, converted to the package's type and back."""
    version, kind = resource["apiVersion"].split("/")[1], resource["kind"]
    client = kubernetes.client.ApiClient()
    read = client.deserialize(Text(resource), f"{version.capitalize()}{kind}")
    assert type(read).__module__.startswith("kserve."), type(read)
    return client.sanitize_for_serialization(read)


def is_within(part, whole):
    """Whether `whole` contains all of `part`; its other fields must be empty: a type's defaults."""
    if isinstance(part, dict):
        extra = [whole[key] for key in whole.keys() - part.keys()]
        return not any(extra) and all(key in whole and is_within(value, whole[key]) for key, value in part.items())
    if isinstance(part, list):
        return len(part) == len(whole) and all(map(is_within, part, whole))
    return part == whole


if sys.argv[1:] == ["kserve"]:
    # The client looks there for the type of each field.
    for name, type_of_field in vars(kserve.models).items():
        if isinstance(type_of_field, type):
            setattr(kubernetes.client.models, name, type_of_field)
resources = [resource for resource in yaml.safe_load_all(sys.stdin) if resource]
for resource in resources:
    if sys.argv[1:] == ["kserve"]:
        again = read_and_write(resource)
        assert is_within(resource, again), f"lost on the way:\n{json.dumps(resource)}\n{json.dumps(again)}"
    else:
        validate(resource)
json.dump(resources, sys.stdout)
