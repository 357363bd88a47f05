//! Everything that the check finds in the sources.

use super::circles;
use super::imports::{self, Imports};
use super::limits::{self, Limit};
use super::modules::Crate;
use super::rooms::{self, Rooms};
use super::sizes::{self, Size};
use super::sources::{Sources, Target};

/// How to cut a circle.
const ADVICE: &str = "move what several of them need to a file that imports none of them";

/// Sizes, circles and rooms.
pub struct Findings {
    /// Sizes with their limit.
    pub sizes: [(&'static Limit, Vec<Size>); 4],
    /// Import circles, each with the crate in which it is.
    pub circles: Vec<(String, Imports)>,
    /// The rooms of each crate that has rooms.
    pub rooms: Vec<(String, Rooms)>,
}

impl Findings {
    /// Measures these sources.
    pub fn of(sources: &Sources, targets: &[Target]) -> anyhow::Result<Self> {
        let crates: Vec<Crate> =
            targets.iter().map(|target| Crate::parse(target, sources)).collect::<anyhow::Result<_>>()?;
        let (mut circles, mut rooms) = (Vec::new(), Vec::new());
        for parsed in &crates {
            let imports = imports::of(parsed);
            circles.extend(circles::of(&imports).into_iter().map(|circle| (parsed.name.clone(), circle)));
            rooms.extend(rooms::of(parsed, &imports).map(|found| (parsed.name.clone(), found)));
        }
        let sizes = [
            (&limits::FIELDS, sizes::fields(&crates)),
            (&limits::METHODS, sizes::methods(&crates)),
            (&limits::FILES, sizes::files(sources, targets)),
            (&limits::LINES, sizes::lines(sources)),
        ];
        Ok(Self { sizes, circles, rooms })
    }

    /// The problems to fix, one or more lines each.
    pub fn problems(&self) -> Vec<String> {
        let sizes = self.sizes.iter().flat_map(|(limit, sizes)| limit.problems(sizes));
        let circles = self.circles.iter().map(|(name, circle)| {
            let (files, ties) = (circles::files(circle), circles::ties(circle).join("\n  "));
            format!("`{name}` has an import circle of {files} files, 0 are allowed: {ADVICE}\n  {ties}")
        });
        sizes.chain(circles).collect()
    }
}
