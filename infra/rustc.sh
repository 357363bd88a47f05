#!/bin/sh
# Runs rustc so that the same sources give the same bytes in any directory: `cargo xtask package` sets it as
# RUSTC_WRAPPER. As flags of cargo (RUSTFLAGS) these paths would be part of the names of intermediate files, which
# decide the order in which functions are linked. Of several prefixes rustc takes the last that fits.
exec "$@" --remap-path-prefix "$REELHOOK_ROOT=/reelhook" \
  --remap-path-prefix "$REELHOOK_TARGET=/target" \
  --remap-path-prefix "$REELHOOK_CARGO=/cargo"
