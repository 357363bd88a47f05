//! The mixing desk: layers come in at a loudness, send a share into the room and the echo, and leave as one loop.

use crate::layer::{Layer, Tempo};
use crate::loudness::{bring_to, master};
use crate::reverb::{Echo, Room, echo, room};

/// How loud a finished track is, in LUFS; the encoder takes some 0.4 from it, which leaves -16.
const LOUDNESS: f64 = -15.6;
/// The highest peak in decibels; encoding may add a little.
const CEILING: f64 = -2.2;

/// A track in the making.
pub struct Song {
    /// The tempo of every layer.
    pub tempo: Tempo,
    dry: Layer,
    to_room: Layer,
    to_echo: Layer,
    room: Room,
    echo: Echo,
}

/// What a layer gives away, as factors.
#[derive(Clone, Copy)]
pub struct Send {
    /// Into the room.
    pub room: f64,
    /// Into the echo.
    pub echo: f64,
}

impl Song {
    /// A silent track.
    pub fn new(tempo: Tempo, room: Room, echo: Echo) -> Song {
        let silence = Layer::new(tempo);
        Song { tempo, dry: silence.clone(), to_room: silence.clone(), to_echo: silence, room, echo }
    }

    /// An empty layer of this track.
    pub fn layer(&self) -> Layer {
        Layer::new(self.tempo)
    }

    /// Mixes a layer in, at a loudness in LUFS of its own: the balance does not hang on how an instrument is built.
    pub fn add(&mut self, mut layer: Layer, lufs: f64, send: Send) {
        bring_to(&mut layer, lufs);
        self.dry.add(&layer, 1.0);
        self.to_room.add(&layer, send.room);
        self.to_echo.add(&layer, send.echo);
    }

    /// The mix with its room and echo, before the last volume.
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

/// Gives a mix its last volume.
pub fn finish(mut mix: Layer) -> Layer {
    mix.cut_below(32.0);
    master(&mut mix, LOUDNESS, CEILING);
    mix
}
