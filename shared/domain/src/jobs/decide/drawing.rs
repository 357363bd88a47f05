//! A run that we do ourselves: its pieces are claimed, worked at, handed in, and taken from renderers that died.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Ignored;
use super::change::{Change, whole_seconds};
use super::starts::cut;
use crate::Decision;
use crate::jobs::job::{Dialect, Status};
use crate::videos::drawing::{Drawing, Piece, PieceClaim, RenderPlan, Renderer, Stage, StoredVideo};
use crate::videos::film::Rendition;
use crate::{Advice, Effect, FailureClass, Live, LogLevel, OutboundEvent, RenderId, Timestamp, classify};

/// Leases end at multiples of this part of them, so that not each sign of life moves the job's due time.
const LEASE_STEPS: u32 = 3;
/// Renderers that a piece may lose, or see in trouble, before its run fails.
const CRASHES: u32 = 3;
/// How long a piece waits after its renderer had trouble.
const PIECE_WAIT: Duration = Duration::from_secs(30);
/// The time between two looks of viewers at the progress.
const SHOWN_EVERY_MS: i64 = 2000;
/// Pieces that a lost hint is made good for at once.
const HINTS_AGAIN: usize = 100;
/// The sweep comes this often; a lease that ends before the next one gets a hint of its own.
const SWEEP: Duration = Duration::from_secs(60);
/// Pieces that nobody claims get new hints at least this often.
const LONGEST_HINT_WAIT: Duration = Duration::from_secs(15 * 60);
/// The share of the progress bar at which drawing begins, where nothing came before it.
const FIRST_PERCENT: u32 = 5;
/// The share at which it begins after a workflow's steps.
const STEPS_PERCENT: u32 = 85;
/// The share at which all is drawn.
const DRAWN_PERCENT: u32 = 95;

/// A run that was claimed is done here: the first pieces wait for their renderers.
pub(super) fn run_here(mut change: Change<'_>, attempt: u32, renderer: Renderer) -> Decision {
    if attempt != change.job.attempt {
        return change.ignore(Ignored::StaleAttempt);
    }
    if change.job.status != Status::Pending {
        return change.ignore(Ignored::Duplicate);
    }
    change.begin_run();
    let now = change.now;
    let mut drawing = Drawing {
        stage: Stage::Composing,
        film: None,
        renderer,
        pieces: Vec::new(),
        claims: 0,
        moved_at: now,
        hint_at: now,
        shown_at: now,
    };
    match change.job.film.clone() {
        Some(film) => draw(&mut change, &mut drawing, film),
        None => begin_stage(&mut change, &mut drawing, Stage::Composing, 1),
    }
    change.job.drawing = Some(drawing);
    if change.job.dialect == Dialect::VidBuilder && !change.job.was_notified(OutboundEvent::VideoStarted) {
        change.notify(OutboundEvent::VideoStarted);
    }
    change.apply()
}

/// What the film shows is known: the steps before are done, and it is drawn.
pub(super) fn composed(change: Change<'_>, attempt: u32, claim: u32, film: &RenderPlan) -> Decision {
    with_piece(change, attempt, claim, |change, drawing, _| {
        if change.job.status == Status::Processing {
            change.job.status = Status::Rendering;
            change.live(Live::Render { status: "planned".to_owned() });
        }
        change.job.film = Some(film.clone());
        draw(change, drawing, film.clone());
    })
}

/// Starts drawing a film.
fn draw(change: &mut Change<'_>, drawing: &mut Drawing, film: RenderPlan) {
    let (stage, pieces) = match film.renderer {
        Renderer::Own => (Stage::Scenes, film.scenes.len() * film.renditions.len()),
        Renderer::Creatomate => (Stage::Remote, film.renditions.len()),
    };
    drawing.film = Some(film);
    begin_stage(change, drawing, stage, pieces);
    show_progress(change, drawing);
}

fn begin_stage(change: &mut Change<'_>, drawing: &mut Drawing, stage: Stage, pieces: usize) {
    drawing.stage = stage;
    drawing.pieces = vec![Piece::default(); pieces];
    moved(change, drawing);
    change.then(Effect::Draw { hints: u32::try_from(pieces).unwrap_or(u32::MAX), delay_s: 0 });
}

/// A renderer claims the first piece that is open, or whose lease has run out: its renderer died, and the sweep has not
/// been here yet. A piece that has lost too many renderers is left to the sweep, which ends the run.
pub(super) fn claim_piece(mut change: Change<'_>, attempt: u32) -> Decision {
    if let Some(ignored) = not_drawing(&change, attempt) {
        return change.ignore(ignored);
    }
    let Some(mut drawing) = change.job.drawing.take() else { return change.ignore(Ignored::NotReady) };
    let now = change.now;
    let ready = |piece: &&mut Piece| match piece.lost_at(now) {
        true => piece.crashes + 1 < CRASHES,
        false => piece.is_open() && piece.ready_at.is_none_or(|at| at <= now),
    };
    let number = drawing.claims + 1;
    let Some(piece) = drawing.pieces.iter_mut().find(ready) else {
        return change.ignore(Ignored::NotReady);
    };
    let taken_over = piece.lost_at(now);
    if taken_over {
        piece.crashes += 1;
    }
    piece.claim = Some(PieceClaim { number, lease_until: lease(&change) });
    piece.ready_at = None;
    drawing.claims = number;
    moved(&change, &mut drawing);
    change.job.drawing = Some(drawing);
    if taken_over {
        change.log("job_log", LogLevel::Warning, "A renderer lost its lease; another one continues its piece");
    }
    change.apply()
}

/// A sign of life from a renderer, with the frames of its piece that are drawn.
pub(super) fn piece_progressed(change: Change<'_>, attempt: u32, claim: u32, frames: u32) -> Decision {
    with_piece(change, attempt, claim, |change, drawing, index| {
        let piece = &mut drawing.pieces[index];
        piece.frames = piece.frames.max(frames);
        piece.claim = Some(PieceClaim { number: claim, lease_until: lease(change) });
        show_progress(change, drawing);
    })
}

/// A piece that is drawn elsewhere is looked at again later.
pub(super) fn piece_deferred(
    change: Change<'_>,
    attempt: u32,
    claim: u32,
    render: &RenderId,
    percent: u8,
    wait: Duration,
) -> Decision {
    with_piece(change, attempt, claim, |change, drawing, index| {
        let all = drawing.film.as_ref().map_or(0, RenderPlan::frames);
        let piece = &mut drawing.pieces[index];
        piece.claim = None;
        piece.render = Some(render.clone());
        piece.ready_at = Some(change.now.after(wait));
        piece.frames = piece.frames.max(all * u32::from(percent.min(100)) / 100);
        moved(change, drawing);
        drawing.hint_at = change.now.after(wait + change.policy.hint_grace);
        change.then(Effect::Draw { hints: 1, delay_s: whole_seconds(wait) });
        show_progress(change, drawing);
    })
}

/// A piece is done; the last one of a stage begins the next, or ends the job.
pub(super) fn piece_done(change: Change<'_>, attempt: u32, claim: u32, video: Option<&StoredVideo>) -> Decision {
    with_piece(change, attempt, claim, |change, drawing, index| {
        let frames = drawing.film.as_ref().map_or(0, |film| match drawing.stage {
            Stage::Scenes => film.scenes[index % film.scenes.len()],
            Stage::Composing | Stage::Joining | Stage::Remote => film.frames(),
        });
        let piece = &mut drawing.pieces[index];
        piece.claim = None;
        piece.done = true;
        piece.frames = frames;
        if let Some(video) = video {
            change.job.videos.retain(|known| known.format != video.format);
            change.job.videos.push(video.clone());
        }
        moved(change, drawing);
        show_progress(change, drawing);
        if drawing.pieces.iter().any(|piece| !piece.done) {
            return;
        }
        match drawing.stage {
            Stage::Composing => {}
            Stage::Scenes => {
                let pictures = drawing.film.as_ref().map_or(1, |film| film.renditions.len());
                begin_stage(change, drawing, Stage::Joining, pictures);
                change.progress(95);
                change.show("Assembling the final video");
                change.live(Live::Job);
            }
            Stage::Joining | Stage::Remote => finish(change),
        }
    })
}

/// All pictures are stored.
fn finish(change: &mut Change<'_>) {
    change.job.videos.sort_by_key(|video| video.format);
    let standard = change.job.videos.iter().find(|video| video.format == Rendition::Landscape);
    let link = standard.map(|video| video.link.clone());
    let shown = match change.job.dialect {
        Dialect::StreamGank => {
            change.job.worker_done = true;
            change.live(Live::Step {
                number: 7,
                name: crate::jobs::job::step_name(7).to_owned(),
                status: "completed".to_owned(),
                key: None,
                sequence: change.now.0,
                stage: None,
                details: false,
            });
            "Video generation completed!"
        }
        Dialect::VidBuilder => "Video generated successfully",
    };
    change.complete(link, shown, OutboundEvent::Completed);
}

/// A piece can't be done; `permanent` says that trying again would fail again.
pub(super) fn piece_failed(mut change: Change<'_>, attempt: u32, claim: u32, error: &str, permanent: bool) -> Decision {
    if let Some(ignored) = not_drawing(&change, attempt) {
        return change.ignore(ignored);
    }
    let stage = change.job.drawing.as_ref().filter(|drawing| drawing.claimed(claim).is_some());
    let Some(stage) = stage.map(|drawing| drawing.stage) else { return change.ignore(Ignored::StaleAttempt) };
    if permanent {
        change.live(Live::RenderFailed);
        change.job.no_retry_reason = Some("The video can't be made from this input".to_owned());
        change.job.suggested_solution = Some("Change what the error names, and submit a new job".to_owned());
        change.fail(cut(error), OutboundEvent::FailedNoRetry);
    } else {
        // Names that clients chose stand in what our own renderer says; only another service's words mean something.
        let class = match stage {
            Stage::Remote => classify(error),
            Stage::Composing | Stage::Scenes | Stage::Joining => FailureClass::Other,
        };
        try_piece_again(&mut change, claim, class, cut(error));
    }
    change.apply()
}

/// A piece whose renderer had trouble is done again a little later, and the others go on; what is in trouble each time,
/// or can't get better, fails the run.
fn try_piece_again(change: &mut Change<'_>, claim: u32, class: FailureClass, error: &str) {
    let again = match class.advice(0) {
        Advice::Retry { .. } => true,
        Advice::Never { .. } => false,
    };
    let now = change.now;
    let wait = PIECE_WAIT * change.policy.retry_delay_percent / 100;
    let grace = change.policy.hint_grace;
    let piece = change.job.drawing.as_mut().and_then(|drawing| {
        let index = drawing.claimed(claim)?;
        let piece = &mut drawing.pieces[index];
        piece.crashes += 1;
        let again = again && piece.crashes < CRASHES;
        if again {
            piece.claim = None;
            piece.ready_at = Some(now.after(wait));
            drawing.moved_at = now;
            drawing.hint_at = now.after(wait + grace);
        }
        Some(again)
    });
    if piece == Some(true) {
        change.then(Effect::Draw { hints: 1, delay_s: whole_seconds(wait) });
        let seconds = wait.as_secs_f64();
        change.log("job_log", LogLevel::Warning, format!("Trying again in {seconds:.0} s: {error}"));
    } else {
        let attempt = change.job.attempt;
        change.fail_run_of(class, error);
        if change.job.attempt == attempt {
            change.live(Live::RenderFailed);
        }
    }
}

/// What the sweep does: pieces of renderers that died are free again, and open ones are hinted at again.
pub(super) fn tick(mut change: Change<'_>) -> Decision {
    let now = change.now;
    let Some(mut drawing) = change.job.drawing.take() else { return change.ignore(Ignored::NotDue) };
    let mut lost = 0;
    let mut given_up = None;
    for index in 0..drawing.pieces.len() {
        let piece = &mut drawing.pieces[index];
        if piece.lost_at(now) {
            piece.claim = None;
            piece.crashes += 1;
            lost += 1;
            if piece.crashes >= CRASHES {
                given_up = Some(index);
            }
        }
    }
    if let Some(index) = given_up {
        let what = drawing.piece_name(index);
        let error = format!("{what} could not be made: its renderer died {CRASHES} times");
        change.fail_run_of(FailureClass::Other, &error);
        return change.apply();
    }
    if lost > 0 {
        change.log(
            "job_log",
            LogLevel::Warning,
            format!("{lost} renderers lost their leases; their pieces are open again"),
        );
        moved(&change, &mut drawing);
        change.then(Effect::Draw { hints: lost, delay_s: 0 });
        hint_at_leases_that_end_soon(&mut change, &drawing);
    } else if drawing.hint_at <= now {
        let open = drawing.pieces.iter().filter(|piece| piece.is_open()).count().clamp(1, HINTS_AGAIN);
        let waited = Duration::from_millis(u64::try_from(now.0 - drawing.moved_at.0).unwrap_or(0));
        let grace = change.policy.hint_grace;
        drawing.hint_at = now.after(waited.clamp(grace, LONGEST_HINT_WAIT.max(grace)));
        change.then(Effect::Draw { hints: u32::try_from(open).unwrap_or(1), delay_s: 0 });
    } else {
        return change.ignore(Ignored::NotDue);
    }
    change.job.drawing = Some(drawing);
    change.apply()
}

/// Where one renderer died, others may have died with it: a hint comes when each of their leases ends, and not only
/// with the next sweep. A living renderer has extended its lease by then, and the hint finds nothing to do.
fn hint_at_leases_that_end_soon(change: &mut Change<'_>, drawing: &Drawing) {
    let next_sweep = change.now.after(SWEEP);
    let mut ends: BTreeMap<Timestamp, u32> = BTreeMap::new();
    let claims = drawing.pieces.iter().filter_map(|piece| piece.claim.as_ref());
    for claim in claims.filter(|claim| claim.lease_until <= next_sweep) {
        *ends.entry(claim.lease_until).or_default() += 1;
    }
    for (end, hints) in ends {
        change.then(Effect::Draw { hints, delay_s: whole_seconds(end.wait_from(change.now)) });
    }
}

/// Why a report of a renderer changes nothing, where it does not.
fn not_drawing(change: &Change<'_>, attempt: u32) -> Option<Ignored> {
    if attempt != change.job.attempt {
        return Some(Ignored::StaleAttempt);
    }
    match change.job.status {
        Status::Completed | Status::Failed | Status::Cancelled => Some(Ignored::FinalJob),
        Status::Pending => Some(Ignored::NotReady),
        Status::Processing | Status::Rendering => change.job.drawing.is_none().then_some(Ignored::NotReady),
    }
}

/// Changes the piece that a claim holds; one that was given to another renderer stays as it is.
fn with_piece(
    mut change: Change<'_>,
    attempt: u32,
    claim: u32,
    act: impl FnOnce(&mut Change<'_>, &mut Drawing, usize),
) -> Decision {
    if let Some(ignored) = not_drawing(&change, attempt) {
        return change.ignore(ignored);
    }
    let Some(mut drawing) = change.job.drawing.take() else { return change.ignore(Ignored::NotReady) };
    let Some(index) = drawing.claimed(claim) else { return change.ignore(Ignored::StaleAttempt) };
    act(&mut change, &mut drawing, index);
    change.job.drawing = Some(drawing);
    change.apply()
}

fn moved(change: &Change<'_>, drawing: &mut Drawing) {
    drawing.moved_at = change.now;
    drawing.hint_at = change.now.after(change.policy.hint_grace);
}

/// Shows how far the drawing is, but not each time.
fn show_progress(change: &mut Change<'_>, drawing: &mut Drawing) {
    let Some(film) = &drawing.film else { return };
    if drawing.stage == Stage::Joining {
        return;
    }
    let (all, drawn) = (film.all_frames().max(1), drawing.drawn().min(film.all_frames()));
    let first = match change.job.status {
        Status::Rendering => STEPS_PERCENT,
        Status::Pending | Status::Processing | Status::Completed | Status::Failed | Status::Cancelled => FIRST_PERCENT,
    };
    let percent = first + (DRAWN_PERCENT - first) * drawn / all;
    change.progress(u8::try_from(percent).unwrap_or(95));
    change.show(format!("Rendering frames: {drawn}/{all}"));
    if change.now.0 - drawing.shown_at.0 >= SHOWN_EVERY_MS {
        drawing.shown_at = change.now;
        change.live(Live::Job);
    }
}

/// When a lease that begins now ends.
fn lease(change: &Change<'_>) -> Timestamp {
    let step = i64::try_from((change.policy.piece_lease / LEASE_STEPS).as_millis()).unwrap_or(i64::MAX).max(1);
    let end = change.now.after(change.policy.piece_lease).0;
    Timestamp((end + step - 1) / step * step)
}
