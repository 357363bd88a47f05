#!/usr/bin/env bash
# Builds the Lambda layer of the render function: ffmpeg at /opt/bin/ffmpeg and fonts below /opt/fonts.
# Usage: infra/layer.sh ARCHITECTURE OUT.zip    ARCHITECTURE is arm64 or x86_64. Needs python3 with pip, npm and zip.
#
# Publish it in your account, and name it to the stack:
#   aws lambda publish-layer-version --layer-name reelhook-render --zip-file fileb://OUT.zip --compatible-architectures ARCHITECTURE
#   sam deploy --parameter-overrides RenderLayerArn=ARN
# Over 50 MB goes by a bucket: aws s3 cp OUT.zip s3://YOURS/ and --content S3Bucket=YOURS,S3Key=OUT.zip instead of --zip-file.
#
# Licences: the ffmpeg is a static build under the GPL, version 3, since it contains libx264; it runs as a program of its
# own and is not linked to Reelhook. Who gives the layer to others has to offer them its source. The fonts are under the
# SIL Open Font License; their texts lie beside them.
set -euo pipefail

architecture=${1:?usage: infra/layer.sh arm64|x86_64 OUT.zip}
out=${2:?usage: infra/layer.sh arm64|x86_64 OUT.zip}
case $architecture in
  arm64) platform=manylinux2014_aarch64 ;;
  x86_64) platform=manylinux2014_x86_64 ;;
  *) echo "infra/layer.sh: the architecture is arm64 or x86_64, not \`$architecture\`" >&2; exit 2 ;;
esac
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# The same ffmpeg as on a laptop.
pin=$(grep -h '^imageio-ffmpeg==' "$here"/local/requirements.txt "$here"/verify/requirements.txt | head -n 1)

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --platform "$platform" \
  --dest "$work" "$pin"
mkdir -p "$work/layer/bin"
unzip -q -o "$work"/imageio_ffmpeg-*.whl -d "$work/wheel"
cp "$work"/wheel/imageio_ffmpeg/binaries/ffmpeg-* "$work/layer/bin/ffmpeg"
chmod 755 "$work/layer/bin/ffmpeg"
"$here/fonts.sh" "$work/layer/fonts"
rm -f "$out"
destination=$(cd "$(dirname "$out")" && pwd)/$(basename "$out")
(cd "$work/layer" && zip -q -r -9 "$destination" bin fonts)
du -sh "$work/layer" | cut -f1 | xargs printf '%s unpacked, of 250 MB that a function may have\n'
du -h "$destination"
