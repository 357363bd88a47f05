//! The mixing desk: takes layers at a given loudness, sends parts of them to reverb and echo, and returns one loop.

use crate::layer::{Layer, Tempo};
use crate::loudness::{master, set_loudness};
use crate::reverb::{Echo, Room, echo, room};

/// The loudness of a finished track in LUFS. Encoding lowers it by about 0.4, which results in -16.
const LOUDNESS: f64 = -15.6;
/// The maximum peak in decibels; encoding may increase it slightly.
const CEILING: f64 = -2.2;

/// A track during mixing.
pub struct Song {
    /// The tempo of every layer.
    pub tempo: Tempo,
    dry: Layer,
    to_room: Layer,
    to_echo: Layer,
    room: Room,
    echo: Echo,
}

/// The levels at which a layer is sent to the effects, as factors.
#[derive(Clone, Copy)]
pub struct Send {
    /// The level for the reverb.
    pub room: f64,
    /// The level for the echo.
    pub echo: f64,
}

impl Song {
    /// Creates a silent track.
    pub fn new(tempo: Tempo, room: Room, echo: Echo) -> Song {
        let silence = Layer::new(tempo);
        Song { tempo, dry: silence.clone(), to_room: silence.clone(), to_echo: silence, room, echo }
    }

    /// Creates an empty layer for this track.
    pub fn layer(&self) -> Layer {
        Layer::new(self.tempo)
    }

    /// Mixes a layer in at a loudness in LUFS, so that the balance does not depend on how an instrument is built.
    pub fn add(&mut self, mut layer: Layer, lufs: f64, send: Send) {
        set_loudness(&mut layer, lufs);
        self.dry.add(&layer, 1.0);
        self.to_room.add(&layer, send.room);
        self.to_echo.add(&layer, send.echo);
    }

    /// The mix with reverb and echo, before mastering.
    pub fn mix(self) -> Layer {
        let echoes = echo(&self.to_echo, self.echo);
        let mut to_room = self.to_room;
        to_room.add(&echoes, 0.3);
        let mut mix = self.dry;
        mix.add(&echoes, 1.0);
        mix.add(&room(&to_room, self.room), 0.5);
        mix
    }

    /// The finished track.
    pub fn finish(self) -> Layer {
        finish(self.mix())
    }
}

/// Masters a mix.
pub fn finish(mut mix: Layer) -> Layer {
    mix.high_pass(32.0);
    master(&mut mix, LOUDNESS, CEILING);
    mix
}
