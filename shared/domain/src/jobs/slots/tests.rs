//! Slots in rows: the limit, arrangements, changes that all rows follow, and slots that are freed.

use std::time::Duration;

use super::*;

const NOW: Timestamp = Timestamp(1_000_000);

fn until() -> Timestamp {
    NOW.after(Duration::from_secs(60))
}

fn names(names: std::ops::Range<usize>) -> Vec<String> {
    names.map(|n| format!("job_{n:03}.1.1")).collect()
}

/// Rows as a table has them.
#[derive(Clone)]
struct Table(Vec<Admission>);

impl Table {
    fn of(rows: usize, numbers: bool) -> Self {
        let mut table = Self(vec![Admission::default()]);
        table.arrange(rows, numbers);
        table
    }

    fn read(&self) -> Slots {
        let mut rows = self.0.clone();
        rows.resize(rows.len().max(MOST_ROWS), Admission::default());
        Slots::read(rows).expect("rows that belong together")
    }

    /// Writes a row; false if it has changed since it was read.
    fn write(&mut self, changed: &SlotRow) -> bool {
        let SlotRow { number, row } = changed;
        self.0.resize(self.0.len().max(number + 1), Admission::default());
        let is_next = self.0[*number].version + 1 == row.version;
        if is_next {
            self.0[*number] = row.clone();
        }
        is_next
    }

    fn take(&mut self, names: &[String], max: usize, draw: u64) -> Vec<String> {
        let taken = self.read().take(names, NOW, until(), max, draw).expect("slots");
        assert!(taken.rows.iter().all(|row| self.write(row)));
        taken.slots
    }

    fn release(&mut self, slots: &[String]) -> usize {
        let slots: Vec<&str> = slots.iter().map(String::as_str).collect();
        let released = self.read().into_rows().into_iter().filter_map(|row| row.released(&slots));
        released.filter(|row| self.write(row)).count()
    }

    fn follow(&mut self) {
        assert!(self.read().behind().iter().all(|row| self.write(row)));
    }

    fn arrange(&mut self, rows: usize, numbers: bool) {
        if let Some(first) = self.read().arranged(rows, numbers) {
            assert!(self.write(&first));
            self.follow();
        }
    }
}

#[test]
fn the_parts_of_all_rows_are_the_limit() {
    for (rows, max, numbers) in [(1, 3, false), (1, 3, true), (4, 10, false), (4, 3, true), (64, 1000, true)] {
        let mut table = Table::of(rows, numbers);
        for n in 0..max {
            assert_eq!(table.take(&names(n..n + 1), max, n as u64).len(), 1);
        }
        let slots = table.read();
        assert_eq!((slots.running(NOW), slots.free(NOW, max)), (max, Err(NoSlot::Full)));
        assert_eq!(slots.running(until().after(Duration::from_secs(300))), 0, "leases end");
    }
}

#[test]
fn one_claim_takes_slots_of_several_rows() {
    for numbers in [false, true] {
        let slots = Table::of(4, numbers).read();
        let taken = slots.take(&names(0..10), NOW, until(), 10, 2).expect("ten slots");
        let granted: Vec<(usize, usize)> = taken.rows.iter().map(|row| (row.number, row.row.used())).collect();
        assert_eq!(granted, [(2, 2), (3, 2), (0, 3), (1, 3)]);
        assert_eq!(slots.take(&names(0..11), NOW, until(), 10, 2), Err(NoSlot::Full));
    }
}

#[test]
fn slots_have_names_until_rows_give_them_numbers() {
    let mut table = Table::of(2, false);
    let named = table.take(&names(0..2), 9, 0);
    assert_eq!(named, names(0..2));
    table.arrange(2, true);
    let numbered = table.take(&names(2..4), 9, 1);
    assert_eq!(numbered, ["#1.1000000", "#1.1000001"]);
    assert_eq!((rows_of(&["#1.1000000", "#0.7"]), rows_of(&["#1.1", "job_1.1.1"])), (Some([0, 1].into()), None));
    assert_eq!(table.read().running(NOW), 4);
    assert_eq!((table.release(&[named, numbered].concat()), table.read().running(NOW)), (2, 0));
}

#[test]
fn a_slot_that_is_freed_again_frees_nothing_else() {
    for numbers in [false, true] {
        let mut table = Table::of(3, numbers);
        let first = table.take(&names(0..5), 9, 0);
        assert!(table.release(&first[..2]) > 0);
        let again = table.take(&["job_000.1.2".to_owned(), "job_009.1.1".to_owned()], 9, 0);
        assert_eq!(table.release(&first[..2]), 0, "a replay of the stream");
        assert_eq!(table.release(&["job_other.1.1".to_owned(), "#2.5".to_owned()]), 0);
        assert_eq!(table.read().running(NOW), 5);
        assert!(table.release(&again) > 0 && table.release(&first) > 0);
        assert_eq!(table.read().running(NOW), 0);
    }
}

#[test]
fn a_new_arrangement_keeps_each_slot_and_the_limit() {
    for numbers in [false, true] {
        let mut table = Table::of(4, numbers);
        let mut held = table.take(&names(0..9), 10, 0);
        for rows in [1, 3, 64, 2] {
            let before = table.read();
            table.arrange(rows, numbers);
            table.arrange(rows, numbers);
            let slots = table.read();
            assert_eq!((slots.running(NOW), slots.first().layout.rows), (9, rows));
            let free = slots.free(NOW, 10).map(|free| free.iter().sum::<usize>());
            assert_eq!(free, Ok(1), "{rows} rows");
            let stale = before.take(&names(20..21), NOW, until(), 10, 0).expect("a slot");
            assert!(!table.write(&stale.rows[0]), "a claim from before conflicts");
            assert_eq!(slots.arranged(rows, numbers), None);
            let freed = held.split_off(8);
            assert_eq!(table.release(&freed), 1);
            held.extend(table.take(&names(30..31), 10, 5));
        }
        table.release(&held);
        table.arrange(2, numbers);
        assert_eq!((table.read().rows(), table.read().running(NOW)), (2, 0), "nobody reads the other rows");
    }
}

#[test]
fn no_slot_is_free_until_all_rows_have_followed_a_change() {
    let mut table = Table::of(3, true);
    let before = table.read();
    let first = before.arranged(2, true).expect("another arrangement");
    assert!(table.write(&first));
    assert_eq!(table.read().free(NOW, 9), Err(NoSlot::Full));
    let late = before.take(&names(0..1), NOW, until(), 9, 2).expect("a slot of the last row");
    assert!(table.write(&late.rows[0]), "that row has not followed");
    table.follow();
    let after = before.take(&names(1..2), NOW, until(), 9, 1).expect("a slot");
    assert!(!table.write(&after.rows[0]));
    let slots = table.read();
    assert_eq!((slots.rows(), slots.running(NOW)), (3, 1), "the slot of the last row counts");
    assert_eq!(slots.free(NOW, 9).map(|free| free.iter().sum::<usize>()), Ok(8));
}

#[test]
fn a_row_that_follows_a_change_that_was_not_read_is_torn() {
    let mut table = Table::of(2, false);
    let first = table.read().first().clone();
    let paused = table.read().with_first(first.pause(true));
    assert!(table.write(&paused));
    table.follow();
    let mixed = vec![first, table.0[1].clone()];
    assert_eq!(Slots::read(mixed), Err(TornRows));
    assert_eq!(Slots::read(table.0[..1].to_vec()), Err(TornRows), "a row is missing");
    assert_eq!(Slots::read(Vec::new()), Err(TornRows));
    assert_eq!(Slots::read(table.0.clone()).map(|slots| slots.rows()), Ok(2));
}

#[test]
fn what_one_row_holds_too_much_is_missing_in_the_others() {
    let mut table = Table::of(2, false);
    table.take(&names(0..8), 10, 0);
    assert_eq!((table.0[0].active.len(), table.0[1].active.len()), (5, 3));
    // The limit is lowered to 6: three for each row.
    assert_eq!(table.read().free(NOW, 6), Err(NoSlot::Full));
    table.release(&names(5..8));
    assert_eq!(table.read().free(NOW, 6), Ok(vec![0, 1]), "five run");
}

#[test]
fn a_pause_reaches_each_row() {
    let mut table = Table::of(3, true);
    let before = table.read();
    let paused = before.with_first(before.first().pause(true));
    assert!(table.write(&paused));
    assert_eq!(table.read().free(NOW, 9), Err(NoSlot::Paused));
    table.follow();
    for draw in 0..3 {
        let stale = before.take(&names(0..1), NOW, until(), 9, draw).expect("a slot");
        assert!(!table.write(&stale.rows[0]), "row {draw}");
    }
    let one = Slots::from(Admission::default());
    assert_eq!(one.with_first(one.first().pause(true)).row.revision, 0, "one row is as it was in version 0.2");
}

#[test]
fn a_note_of_waiting_jobs_is_in_the_first_row_and_stays_through_each_arrangement() {
    let mut table = Table::of(4, true);
    let noted = table.read().leave(NOW).expect("a note");
    assert_eq!((noted.number, table.read().may_wait(NOW)), (0, false));
    assert!(table.write(&noted));
    for rows in [2, 1, 3] {
        table.arrange(rows, true);
        assert!(table.read().may_wait(NOW) && table.read().leave(NOW).is_none(), "{rows} rows");
    }
}

#[test]
fn slots_count_for_their_lanes() {
    for numbers in [false, true] {
        let lane = Lane::of_key("caller");
        let keys = [lane.mark("job_1.1.1".to_owned()), Lane::default().mark("job.2.1.12".to_owned())];
        assert_eq!(keys[1], "job.2.1.12");
        let mut table = Table::of(2, numbers);
        table.take(&keys, 4, 0);
        let (slots, ended) = (table.read(), until().after(Duration::from_secs(300)));
        assert_eq!(slots.held(NOW), [(lane, 1), (Lane::default(), 1)].into());
        let holders = slots.holders(NOW);
        let holds = |id: &str| holders.contains(&JobId::parse(id).expect("an id"));
        assert!(holders.are_all && holds("job.2") && holds("job_1") && !holds("job_2"));
        assert!(
            slots.held(ended).is_empty() && slots.holders(ended) == Holders { are_all: true, ..Holders::default() }
        );
    }
}

#[test]
fn rows_say_whether_they_remember_whose_all_slots_are() {
    let mut table = Table::of(1, true);
    let slots = table.take(&names(0..130), 200, 0);
    assert!(!table.read().holders(NOW).are_all);
    table.release(&slots[..2]);
    assert!(table.read().holders(NOW).are_all);
}
