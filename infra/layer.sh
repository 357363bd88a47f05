#!/usr/bin/env bash
# Builds the Lambda layer of the render function: ffmpeg at /opt/bin/ffmpeg and fonts below /opt/fonts.
# Usage: infra/layer.sh ARCHITECTURE OUT.zip    ARCHITECTURE is arm64 or x86_64. Needs npm, and python3 with pip
# (or the Python that PYTHON names).
#
# `cargo xtask layer` builds and publishes it in your account. By hand you need a bucket, since the zip exceeds the
# 50 MB that Lambda accepts directly:
#   aws s3 cp OUT.zip s3://YOURS/
#   aws lambda publish-layer-version --layer-name reelhook-render --content S3Bucket=YOURS,S3Key=OUT.zip \
#     --compatible-architectures ARCHITECTURE --query LayerVersionArn --output text
#   sam deploy --parameter-overrides RenderLayerArn=ARN
#
# The same pins make the same bytes, so that an already published layer is recognised.
#
# NOTICE.txt in the layer names what it contains, with licences and sources. ffmpeg is under the GPL, version 3: anyone
# who gives the layer to others must give them its source, or offer it.
set -euo pipefail

architecture=${1:?usage: infra/layer.sh arm64|x86_64 OUT.zip}
out=${2:?usage: infra/layer.sh arm64|x86_64 OUT.zip}
case $architecture in
  arm64) platform=manylinux2014_aarch64 ;;
  x86_64) platform=manylinux2014_x86_64 ;;
  *) echo "infra/layer.sh: the architecture must be arm64 or x86_64 (got \`$architecture\`)" >&2; exit 2 ;;
esac
python=${PYTHON:-python3}
"$python" -m pip --version >/dev/null || { echo "infra/layer.sh: pip is missing: install python3-pip, or set PYTHON to a Python that has it" >&2; exit 1; }
command -v npm >/dev/null || { echo "infra/layer.sh: npm is missing: install it" >&2; exit 1; }
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# The same ffmpeg as in a local stack.
locked=$(awk '/^imageio-ffmpeg==/ { found = 1 } found { print } found && !/\\$/ { exit }' "$here/local/requirements.txt")
pin=${locked%% *}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "Downloading ffmpeg for $architecture ($pin) ..." >&2
printf '%s\n' "$locked" > "$work/requirements.txt"
"$python" -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes --only-binary=:all: \
  --platform "$platform" --dest "$work" --requirement "$work/requirements.txt"
mkdir -p "$work/layer/bin"
"$python" -m zipfile -e "$work"/imageio_ffmpeg-*.whl "$work/wheel"
cp "$work"/wheel/imageio_ffmpeg/binaries/ffmpeg-* "$work/layer/bin/ffmpeg"
echo "Downloading the fonts ..." >&2
"$here/fonts.sh" "$work/layer/fonts"
"$python" -B "$here/local/layer_notice.py" "$work/layer" "$pin"

echo "Packing ..." >&2
"$python" - "$work/layer" "$out" <<'PACK'
import pathlib, sys, zipfile

root, out = map(pathlib.Path, sys.argv[1:])
with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
    for file in sorted(path for path in root.rglob("*") if path.is_file()):
        entry = zipfile.ZipInfo(str(file.relative_to(root)), date_time=(1980, 1, 1, 0, 0, 0))
        entry.compress_type = zipfile.ZIP_DEFLATED
        entry.external_attr = (0o100755 if file.parent.name == "bin" else 0o100644) << 16
        packed.writestr(entry, file.read_bytes())
unpacked = sum(entry.file_size for entry in zipfile.ZipFile(out).infolist())
print(f"{out}: {out.stat().st_size / 2**20:.0f} MiB, {unpacked / 2**20:.0f} MiB unpacked (a function may have at most 250 MiB)", file=sys.stderr)
PACK
