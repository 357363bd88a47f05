//! The report as text.

use super::circles;
use super::findings::Findings;
use super::limits::Limit;
use super::rooms::Rooms;
use super::sizes::Size;

/// The report, with the `top` largest of each kind.
pub fn text(findings: &Findings, top: usize) -> String {
    let mut lines = Vec::new();
    for (limit, sizes) in &findings.sizes {
        lines.push(format!("{}, at most {}", limit.title, limit.most));
        lines.extend(largest(sizes, top).into_iter().map(|size| line(limit, size)));
        lines.push(String::new());
    }
    lines.push(format!("Import circles, 0 allowed: {}", findings.circles.len()));
    for (name, circle) in &findings.circles {
        lines.push(format!("  {name}, {} files", circles::files(circle)));
        lines.extend(circles::ties(circle).into_iter().map(|tie| format!("    {tie}")));
    }
    lines.push(String::new());
    lines.push("Edges between rooms, with the number of imports between their files".to_owned());
    for (name, rooms) in &findings.rooms {
        lines.push(format!("  {name}, rooms: {}, edges: {}", rooms.files.len(), rooms.edges.len()));
        lines.extend(edges(rooms));
    }
    lines.join("\n")
}

fn largest(sizes: &[Size], top: usize) -> Vec<&Size> {
    let mut sorted: Vec<&Size> = sizes.iter().collect();
    sorted.sort_by(|a, b| b.number.cmp(&a.number).then_with(|| a.what.cmp(&b.what)));
    sorted.truncate(top);
    sorted
}

fn line(limit: &Limit, size: &Size) -> String {
    let place = if size.what == size.place { String::new() } else { format!("  {}", size.place) };
    let note = match limit.exception(&size.what) {
        _ if size.number > limit.most_for(&size.what) => "  exceeds the limit".to_owned(),
        Some(exception) => format!("  at most {}, because {}", exception.most, exception.reason),
        None => String::new(),
    };
    format!("{:>6}  {}{place}{note}", size.number, size.what)
}

/// A line for each room, with the rooms that it imports from.
fn edges(rooms: &Rooms) -> Vec<String> {
    let line = |(room, files): (&String, &usize)| {
        let edges = rooms.edges.iter().filter(|((from, _), _)| from == room);
        let edges: Vec<String> = edges.map(|((_, to), count)| format!("{to} {count}")).collect();
        let edges = if edges.is_empty() { "none".to_owned() } else { edges.join(", ") };
        format!("    {room}, files: {files}, imports: {edges}")
    };
    rooms.files.iter().map(line).collect()
}
