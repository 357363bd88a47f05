//! What a run must show: the ceilings of version 0.2, each alone, and rules that hold whatever fails.

use crate::design::Design;
use crate::fairness::Fairness;
use crate::load::Load;
use crate::outcome::Outcome;
use crate::world::World;

mod ceilings;
mod rules;

fn run(design: Design, load: Load) -> Outcome {
    World::new(design, load, Fairness::ByTime).run().unwrap_or_else(|violation| panic!("{violation}"))
}
