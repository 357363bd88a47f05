//! Chooses clips that do not overlap and whose scores have the largest sum (weighted interval scheduling).

use reelhook_domain::clips::request::Range;

/// The indexes of the candidates with the largest sum of scores, at most so many of them, in order of time.
pub(super) fn best(candidates: &[(Range, f64)], most: usize) -> Vec<usize> {
    let mut by_end: Vec<usize> = (0..candidates.len()).collect();
    by_end.sort_by_key(|index| candidates[*index].0.end_ms);
    let mut ends: Vec<u64> = by_end.iter().map(|index| candidates[*index].0.end_ms).collect();
    ends.dedup();
    let rows = ends.len() + 1;
    // Of the clips that end at `ends[row - 1]` at the latest: the best sum of so many, and the last one.
    let mut table = vec![vec![(0.0_f64, None::<usize>); rows]; most + 1];
    let before = |index: usize| ends.partition_point(|end| *end <= candidates[index].0.start_ms);
    let mut next = by_end.iter().copied().peekable();
    for row in 1..rows {
        for line in &mut table {
            line[row] = line[row - 1];
        }
        while let Some(index) = next.next_if(|index| candidates[*index].0.end_ms == ends[row - 1]) {
            let row_before = before(index);
            for count in 1..=most {
                let sum = table[count - 1][row_before].0 + candidates[index].1;
                if sum > table[count][row].0 {
                    table[count][row] = (sum, Some(index));
                }
            }
        }
    }
    let (mut chosen, mut row) = (Vec::new(), rows - 1);
    for line in table.iter().skip(1).rev() {
        let Some(index) = line[row].1 else { break };
        chosen.push(index);
        row = before(index);
    }
    chosen.reverse();
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(candidates: &[(u64, u64, f64)], most: usize) -> Vec<usize> {
        let candidates: Vec<(Range, f64)> = candidates
            .iter()
            .map(|(start_ms, end_ms, score)| (Range { start_ms: *start_ms, end_ms: *end_ms }, *score))
            .collect();
        best(&candidates, most)
    }

    #[test]
    fn the_sum_of_scores_is_the_largest_without_overlaps() {
        let candidates = [(0, 30, 0.9), (0, 20, 0.6), (20, 40, 0.7), (40, 60, 0.2), (35, 60, 0.5)];
        assert_eq!(chosen(&candidates, 1), [0]);
        assert_eq!(chosen(&candidates, 2), [0, 4]);
        assert_eq!(chosen(&candidates, 3), [1, 2, 3]);
        assert_eq!(chosen(&candidates, 50), [1, 2, 3]);
        assert_eq!(chosen(&candidates[..2], 5), [0]);
        assert_eq!(chosen(&[], 5), [] as [usize; 0]);
        assert_eq!(chosen(&candidates, 0), [] as [usize; 0]);
    }
}
