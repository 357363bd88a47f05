//! Plays the video of a demo, where standard output is a terminal and there is a display.

use std::io::IsTerminal as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::{interrupt, process, ui};

/// What opens a file in the program that the desktop has for it.
const OPENER: &str = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
/// Players with their options; the first that works plays the video.
const PLAYERS: [(&str, &[&str]); 2] = [("ffplay", &["-autoexit"]), (OPENER, &[])];

/// Plays a video to its end; Ctrl-C ends it sooner. Without a terminal, a display or a player nothing happens: the demo
/// has printed the path.
pub fn play(video: &Path) {
    if !std::io::stdout().is_terminal() || !has_display() {
        return;
    }
    ui::say("\nPlaying the video; Ctrl-C ends it.");
    for (program, options) in PLAYERS {
        let mut command = Command::new(program);
        command.args(options).arg(video).stdout(Stdio::null()).stderr(Stdio::null());
        match process::status(&mut command) {
            Ok(status) if status.success() => return,
            Err(error) if error.is::<interrupt::Interrupted>() => return,
            // It is not installed, or cannot show the video.
            Ok(_) | Err(_) => {}
        }
    }
}

/// Whether windows can be shown.
fn has_display() -> bool {
    let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    cfg!(target_os = "macos") || is_set("DISPLAY") || is_set("WAYLAND_DISPLAY")
}
