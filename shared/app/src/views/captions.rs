//! The captions of jobs (`currentStep`) in each dialect's words. StreamGank's pages recognize the step by words in the
//! caption, so no caption may contain a word of another step.

use reelhook_domain::{Activity, Captions, Incomplete, JobKind, RenderStatus, StepStatus};

/// The captions of every kind of job.
pub const CAPTIONS: Captions = Captions { caption, step_name, step_status };

fn caption(kind: JobKind, activity: &Activity<'_>) -> String {
    match kind {
        JobKind::Workflow => of_workflow(activity),
        JobKind::Video => of_video(activity),
    }
}

/// The names of a workflow's steps, 0 to 8.
pub fn step_name(number: u8) -> &'static str {
    match number {
        0 => "Workflow Started",
        1 => "Database Extraction",
        2 => "Script Generation",
        3 => "Asset Preparation",
        4 => "HeyGen Video Creation",
        5 => "HeyGen Processing",
        6 => "Scroll Video Generation",
        7 => "Creatomate Assembly",
        _ => "Workflow Completed",
    }
}

/// The words for a step's status that workers and pages use.
fn step_status(status: StepStatus) -> &'static str {
    match status {
        StepStatus::RenderReady => "creatomate_ready",
        StepStatus::Started | StepStatus::Completed | StepStatus::Failed => status.name(),
    }
}

fn of_workflow(activity: &Activity<'_>) -> String {
    let text = match activity {
        Activity::Waiting => "Waiting in queue",
        Activity::Processing => "Processing",
        Activity::Step { number, name, done } => {
            return of_step(*number, name, if *done { "completed" } else { "started" });
        }
        Activity::AwaitingRender => "All 7 steps completed - Video rendering with Creatomate",
        Activity::Render(status) => return of_render(status),
        Activity::CheckingRender => "Checking the render",
        Activity::Frames { done, all } => return format!("Rendering frames: {done}/{all}"),
        Activity::Assembling => "Assembling the final video",
        Activity::RetryScheduled { attempt, of, reason, delay } => {
            let seconds = delay.as_secs_f64();
            return format!("Scheduled for retry (attempt {attempt}/{of}) - {reason} (retry in {seconds:.0}s)");
        }
        Activity::Failed { step, error } => {
            let step = step.map(|(number, name)| (number, name.unwrap_or_else(|| step_name(number))));
            return failed(step, error);
        }
        Activity::Cancelled => "Job cancelled by user",
        Activity::Completed => "Video generation completed!",
        Activity::Incomplete(Incomplete::PausedAfterExtraction) => "Movie extraction completed, paused as asked",
        Activity::Incomplete(Incomplete::WorkflowIncomplete) => "Workflow incomplete, a render was started",
        Activity::Incomplete(Incomplete::RenderTimeout) => "Render did not finish in time",
        Activity::NothingToRender => "No video URL or Creatomate ID returned",
    };
    text.to_owned()
}

fn of_video(activity: &Activity<'_>) -> String {
    let text = match activity {
        Activity::Failed { .. } => "Failed",
        Activity::Cancelled => "Cancelled",
        Activity::Completed => "Video generated successfully",
        Activity::Waiting
        | Activity::Processing
        | Activity::Step { .. }
        | Activity::AwaitingRender
        | Activity::Render(_)
        | Activity::CheckingRender
        | Activity::Frames { .. }
        | Activity::Assembling
        | Activity::RetryScheduled { .. }
        | Activity::Incomplete(_)
        | Activity::NothingToRender => return of_workflow(activity),
    };
    text.to_owned()
}

/// Characters of a text.
const LIMIT: usize = 200;

/// The step that a page of StreamGank recognizes in a text: the first of these words counts, in this order.
pub fn step_shown(text: &str) -> Option<u8> {
    let text = text.to_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    if has(&["extract", "movies", "step 1"]) {
        Some(1)
    } else if has(&["script", "generating", "step 2"]) {
        Some(2)
    } else if has(&["asset", "poster", "step 3"]) {
        Some(3)
    } else if has(&["heygen"]) && has(&["creat", "step 4"]) {
        Some(4)
    } else if has(&["heygen"]) && has(&["process", "wait", "step 5"]) {
        Some(5)
    } else if has(&["scroll", "overlay", "step 6"]) {
        Some(6)
    } else if has(&["creatomate", "final", "step 7", "render"]) {
        Some(7)
    } else {
        None
    }
}

/// A step that began or ended; a worker's name that would be recognized as another step is replaced by ours.
fn of_step(number: u8, name: &str, word: &str) -> String {
    match number {
        0 => format!("Workflow - {word}"),
        1..=7 => {
            let sentence = ascii(&format!("{name} - {word}"), LIMIT);
            if step_shown(&sentence) == Some(number) { sentence } else { format!("{} - {word}", step_name(number)) }
        }
        _ => "All 7 steps completed".to_owned(),
    }
}

/// A failed run: its step, if it had begun one, and the reason, up to the first word of another step.
fn failed(step: Option<(u8, &str)>, error: &str) -> String {
    let Some((number, name)) = step else {
        // Before any step begins there is none that the first one could be mistaken for.
        return with_reason("FAILED".to_owned(), error, |text| step_shown(text).is_none_or(|shown| shown == 1));
    };
    let fits = |text: &str| step_shown(text) == Some(number);
    let sentence = format!("FAILED: Step {number} ({})", ascii(name, LIMIT / 2));
    let sentence = if fits(&sentence) { sentence } else { format!("FAILED: Step {number} ({})", step_name(number)) };
    with_reason(sentence, error, fits)
}

/// Adds the words of a reason one by one, up to the first that may not stand there.
fn with_reason(mut text: String, reason: &str, fits: impl Fn(&str) -> bool) -> String {
    let mut between = ": ";
    for word in reason.split_whitespace() {
        let longer = format!("{text}{between}{}", ascii(word, LIMIT));
        if longer.len() > LIMIT || !fits(&longer) {
            text.push_str(" ...");
            break;
        }
        (text, between) = (longer, " ");
    }
    text
}

/// The text for a render service's status.
fn of_render(status: &RenderStatus) -> String {
    let text = match status {
        RenderStatus::Planned => "Render planned",
        RenderStatus::Waiting => "Waiting for a render machine",
        RenderStatus::Transcribing => "Rendering: transcribing audio",
        RenderStatus::Rendering => "Rendering video",
        RenderStatus::Succeeded => "Render succeeded without a URL",
        RenderStatus::Failed => "Render failed",
        RenderStatus::Other(word) => {
            let sentence = ascii(&format!("Render status: {word}"), LIMIT);
            return if step_shown(&sentence) == Some(7) { sentence } else { "Rendering video".to_owned() };
        }
    };
    text.to_owned()
}

fn ascii(text: &str, most: usize) -> String {
    text.chars().map(|c| if c.is_ascii() && !c.is_ascii_control() { c } else { '?' }).take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_reads_the_first_word_that_it_knows() {
        let check = |text: &str, expected: Option<u8>| assert_eq!(step_shown(text), expected, "{text}");
        check("Script completed, video is rendering", Some(2));
        check("Extracting a script", Some(1));
        check("HeyGen Video Creation - started", Some(4));
        check("HeyGen Processing - completed", Some(5));
        check("Creating the HeyGen process", Some(4));
        check("Processing", None);
        check("Waiting in queue", None);
        check("Job cancelled by user", None);
        check(&of_workflow(&Activity::AwaitingRender), Some(7));
        check("Failed", None);
    }

    #[test]
    fn each_step_is_read_off_its_text_whatever_the_worker_calls_it() {
        let long = "long ".repeat(100);
        let names = ["Generating movies", "", "Série", "Render", "step 1", "poster", "HeyGen", long.as_str()];
        for number in 1..=7 {
            for word in ["started", "completed"] {
                let ours = format!("{} - {word}", step_name(number));
                assert_eq!(of_step(number, step_name(number), word), ours);
                for name in names {
                    let text = of_step(number, name, word);
                    assert_eq!(step_shown(&text), Some(number), "{number} {name}: {text}");
                    assert!(text.ends_with(&format!(" - {word}")), "{text}");
                }
            }
        }
        assert_eq!(of_step(3, "Movie posters", "started"), "Movie posters - started");
        assert_eq!(of_step(6, "Scroll overlay", "completed"), "Scroll overlay - completed");
        assert_eq!(of_step(0, "Workflow Started", "started"), "Workflow - started");
    }

    #[test]
    fn a_failure_names_its_step_and_as_much_of_the_reason_as_leads_to_no_other() {
        let check = |number: u8, error: &str, expected: &str| {
            assert_eq!(failed(Some((number, step_name(number))), error), format!("FAILED: Step {number} {expected}"));
        };
        check(3, "disk is full", "(Asset Preparation): disk is full");
        check(3, "no movies left", "(Asset Preparation): no ...");
        check(4, "could not extract", "(HeyGen Video Creation): could not ...");
        check(5, "HeyGen could not create it", "(HeyGen Processing): HeyGen could not ...");
        check(6, "see step 2 again", "(Scroll Video Generation): see step ...");
        check(7, "Creatomate render failed", "(Creatomate Assembly): Creatomate render failed");
        check(7, "poster missing", "(Creatomate Assembly) ...");
        check(1, "Aucun film à 20 h\n", "(Database Extraction): Aucun film ? 20 h");
        check(2, "", "(Script Generation)");
        for number in 1..=7 {
            for name in ["Generating", "Final movies", "Vidéo", ""] {
                for error in
                    ["movies script poster", "HeyGen waits to create an overlay", "step 1 of 7", "final render"]
                {
                    let text = failed(Some((number, name)), error);
                    assert_eq!(step_shown(&text), Some(number), "{number} {name} {error}: {text}");
                }
            }
        }
    }

    #[test]
    fn a_failure_before_any_step_names_none() {
        let check = |error: &str, expected: &str| assert_eq!(failed(None, error), expected);
        check("worker answered 422", "FAILED: worker answered 422");
        check("no movies found", "FAILED: no movies found");
        check("no HeyGen process", "FAILED: no HeyGen ...");
        check("", "FAILED");
    }

    #[test]
    fn texts_stay_short() {
        let long = "x".repeat(5000);
        assert_eq!(failed(Some((3, "Asset Preparation")), &long), "FAILED: Step 3 (Asset Preparation) ...");
        let many = failed(None, &"word ".repeat(1000));
        assert!(many.len() <= LIMIT + 4 && many.ends_with(" word ..."), "{many}");
        assert!(of_render(&RenderStatus::Other(long)).len() <= LIMIT);
    }

    #[test]
    fn every_word_of_a_render_is_read_as_the_last_step() {
        use RenderStatus::{Failed, Other, Planned, Rendering, Succeeded, Transcribing, Waiting};
        let odd = ["compressing", "generating", "waiting for HeyGen", "movies", "", "step 2", "scroll"];
        let odd = odd.map(|word| Other(word.to_owned()));
        for word in [Planned, Waiting, Transcribing, Rendering, Succeeded, Failed].into_iter().chain(odd) {
            let text = of_render(&word);
            assert_eq!(step_shown(&text), Some(7), "{word:?}: {text}");
        }
        assert_eq!(of_render(&Other("compressing".to_owned())), "Render status: compressing");
    }
}
