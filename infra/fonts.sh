#!/usr/bin/env bash
# Installs the typefaces of the videos below DEST: exactly the ones that shared/render/fonts/package-lock.json pins.
# Usage: infra/fonts.sh DEST    Needs npm. A second run with the same list does nothing.
set -euo pipefail

destination=${1:?usage: infra/fonts.sh DEST}
list=$(cd "$(dirname "${BASH_SOURCE[0]}")/../shared/render/fonts" && pwd)
pins=$(cat "$list/package-lock.json" "${BASH_SOURCE[0]}" | sha256sum | cut -d' ' -f1)
if [[ -f $destination/.pins && $(<"$destination/.pins") == "$pins" ]]; then
  exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$list/package.json" "$list/package-lock.json" "$work/"
(cd "$work" && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)

rm -rf "$work/out"
mkdir -p "$work/out/licences"
for package in "$work"/node_modules/@expo-google-fonts/*; do
  family=$(basename "$package")
  case $family in
    inter) weights=(400Regular 600SemiBold 700Bold 800ExtraBold) ;;
    noto-sans) weights=(400Regular 600SemiBold 700Bold) ;;
    plus-jakarta-sans | bricolage-grotesque) weights=(600SemiBold 800ExtraBold) ;;
    sora | fraunces | playfair-display) weights=(600SemiBold 700Bold) ;;
    noto-color-emoji | noto-sans-math | noto-sans-symbols-2) weights=(400Regular) ;;
    *) weights=(400Regular 700Bold) ;;
  esac
  for weight in "${weights[@]}"; do
    cp "$package/$weight/"*.ttf "$work/out/"
  done
  cp "$package/LICENSE_FONT" "$work/out/licences/$family.txt"
done
printf '%s\n' "$pins" > "$work/out/.pins"
rm -rf "$destination"
mkdir -p "$(dirname "$destination")"
mv "$work/out" "$destination"
