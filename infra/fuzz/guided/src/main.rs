//! The targets under libFuzzer, which follows the code that an input reaches: `cargo xtask fuzz --guided`. The variable
//! REELHOOK_FUZZ_TARGET names the target.

#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use reelhook_fuzz::target::Target;
use reelhook_fuzz::targets::named;

static TARGET: OnceLock<&'static Target> = OnceLock::new();

fuzz_target!(|bytes: &[u8]| {
    let target = TARGET.get_or_init(|| {
        let name = std::env::var("REELHOOK_FUZZ_TARGET").expect("REELHOOK_FUZZ_TARGET names a target");
        named(&name).expect("REELHOOK_FUZZ_TARGET names a target")
    });
    (target.check)(bytes);
});
