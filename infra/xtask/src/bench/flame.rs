//! Flame graphs: the stacks that `perf script` prints, as an SVG in which the width of a function is its share of the
//! processor time.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The width of the picture, in pixels.
const WIDTH: f64 = 1200.0;
/// The height of one function.
const ROW: f64 = 17.0;
/// Functions that would be narrower than this are left out.
const NARROWEST: f64 = 0.5;
/// The width of a character of a label.
const CHARACTER: f64 = 6.6;

/// A function with what it called, by samples.
#[derive(Debug, Default)]
pub struct Flame {
    samples: u64,
    called: BTreeMap<String, Flame>,
}

impl Flame {
    /// Reads the output of `perf script --fields comm,ip,sym`: blocks of lines, the innermost function first.
    pub fn read(script: &str) -> Self {
        let mut all = Self::default();
        for block in script.split("\n\n") {
            let frames = block.lines().filter(|line| line.starts_with([' ', '\t']));
            let names: Vec<String> = frames.filter_map(function).collect();
            if !names.is_empty() {
                all.add(names.into_iter().rev());
            }
        }
        all
    }

    /// The number of stacks.
    pub fn samples(&self) -> u64 {
        self.samples
    }

    fn add(&mut self, names: impl Iterator<Item = String>) {
        let mut flame = self;
        flame.samples += 1;
        for name in names {
            flame = flame.called.entry(name).or_default();
            flame.samples += 1;
        }
    }

    fn depth(&self) -> usize {
        self.called.values().map(|called| 1 + called.depth()).max().unwrap_or(0)
    }

    /// The picture; `title` stands above it.
    pub fn svg(&self, title: &str) -> String {
        let height = ROW * (self.depth() + 2) as f64;
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"monospace\" \
             font-size=\"11\">\n<text x=\"4\" y=\"12\">{}</text>\n",
            escaped(title)
        );
        let scale = WIDTH / self.samples.max(1) as f64;
        self.draw(&mut svg, 0.0, height - ROW, scale);
        svg + "</svg>\n"
    }

    fn draw(&self, svg: &mut String, mut x: f64, y: f64, scale: f64) {
        for (name, called) in &self.called {
            let width = called.samples as f64 * scale;
            if width >= NARROWEST {
                let share = width / WIDTH * 100.0;
                let characters = (width / CHARACTER) as usize;
                let label: String =
                    if characters > 3 { name.chars().take(characters).collect() } else { String::new() };
                // Writing to a string cannot fail.
                let _ = writeln!(
                    svg,
                    "<g><title>{} ({share:.1} %)</title><rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" \
                     height=\"{}\" fill=\"{}\"/><text x=\"{:.1}\" y=\"{:.1}\">{}</text></g>",
                    escaped(name),
                    ROW - 1.0,
                    colour(name),
                    x + 2.0,
                    y + 12.0,
                    escaped(&label),
                );
                called.draw(svg, x, y - ROW, scale);
            }
            x += width;
        }
    }
}

/// The function of a line, without its address and the hash of its symbol.
fn function(line: &str) -> Option<String> {
    let (_, name) = line.trim().split_once(' ')?;
    let name = name.trim();
    let is_hash =
        |text: &str| text.len() == 17 && text.starts_with('h') && text[1..].bytes().all(|b| b.is_ascii_hexdigit());
    let name = name.rsplit_once("::").filter(|(_, last)| is_hash(last)).map_or(name, |(name, _)| name);
    Some(name.to_owned())
}

/// A colour of the crate that a function is in.
fn colour(name: &str) -> String {
    let of = name.trim_start_matches(['<', '&']).split("::").next().unwrap_or_default();
    let hash = of.bytes().fold(0_u32, |hash, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
    format!("hsl({}, 70%, 72%)", hash % 360)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: &str = "dispatcher\n\t    7f01 app::send::h0123456789abcdef\n\t    7f02 main\n\n\
                          dispatcher\n\t    7f03 <aws::Client as Call>::call\n\t    7f02 main\n\n\
                          dispatcher\n\t    7f01 app::send::hfedcba9876543210\n\t    7f02 main\n\n";

    #[test]
    fn stacks_are_merged_from_the_outermost_function() {
        let flame = Flame::read(SCRIPT);
        assert_eq!((flame.samples(), flame.depth()), (3, 2));
        let called = &flame.called["main"].called;
        assert_eq!((called["app::send"].samples, called["<aws::Client as Call>::call"].samples), (2, 1));
    }

    #[test]
    fn the_picture_shows_names_and_shares() {
        let svg = Flame::read(SCRIPT).svg("dispatcher & co");
        assert!(svg.starts_with("<svg ") && svg.contains("dispatcher &amp; co"), "{svg}");
        assert!(svg.contains("<title>app::send (66.7 %)</title>"), "{svg}");
        assert!(svg.contains("&lt;aws::Client as Call&gt;::call"), "{svg}");
    }
}
