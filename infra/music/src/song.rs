//! The mix: layers are set to a loudness, partly sent to reverb and echo, and added up to one loop.

use crate::layer::{Layer, Tempo};
use crate::loudness::{bring_to, master};
use crate::reverb::{Echo, Room, echo, room};

/// Loudness of a finished track in LUFS; the encoder reduces it by about 0.4, to -16.
const LOUDNESS: f64 = -15.6;
/// Maximum of the peaks in decibels; encoding can raise them slightly.
const CEILING: f64 = -2.2;

/// A track that is being mixed.
pub struct Song {
    /// The tempo of every layer.
    pub tempo: Tempo,
    dry: Layer,
    to_room: Layer,
    to_echo: Layer,
    room: Room,
    echo: Echo,
}

/// The levels at which a layer is sent to effects, as factors.
#[derive(Clone, Copy)]
pub struct Send {
    /// Level of the send to the reverb.
    pub room: f64,
    /// Level of the send to the echo.
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

    /// Adds a layer at this loudness in LUFS, so that the balance does not depend on how loud an instrument is.
    pub fn add(&mut self, mut layer: Layer, lufs: f64, send: Send) {
        bring_to(&mut layer, lufs);
        self.dry.add(&layer, 1.0);
        self.to_room.add(&layer, send.room);
        self.to_echo.add(&layer, send.echo);
    }

    /// The mix with reverb and echo, before the final gain.
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

/// Applies the final gain to a mix.
pub fn finish(mut mix: Layer) -> Layer {
    mix.cut_below(32.0);
    master(&mut mix, LOUDNESS, CEILING);
    mix
}
