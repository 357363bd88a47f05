//! Scenes as clients describe them, and what they become: ids, numbers, dependencies, limits and defaults.

use std::collections::BTreeSet;

use reelhook_domain::projects::event::NewScene;
use reelhook_domain::projects::graph;
use reelhook_domain::projects::project::{MAX_SCENES, Project};
use reelhook_domain::projects::scene::{Dependency, LongText, Scene, SceneKind, SceneSpec};
use reelhook_domain::{ProjectId, SceneId, WebUrl};

use crate::files::links::path;
use crate::projects::requests::models;
use crate::projects::requests::texts::Prompts;

/// The length of a scene by default, in milliseconds.
const DURATION_MS: u64 = 5_000;

/// The maximum length of a number, in bytes.
pub const NUMBER_LIMIT: usize = 20;

/// The word for the scene before, which scenes depend on by default.
const PREVIOUS: &str = "previous";

/// What a client says about a scene; none leaves a value as it is, and an inner none removes it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SceneFields {
    /// The number.
    pub number: Option<String>,
    /// A name for people.
    pub name: Option<Option<String>>,
    /// What the video shows.
    pub prompt: Option<String>,
    /// How it is generated.
    pub kind: Option<SceneKind>,
    /// Its length in milliseconds.
    pub duration_ms: Option<u64>,
    /// Frames per second.
    pub fps: Option<Option<u32>>,
    /// The model.
    pub model: Option<Option<String>>,
    /// The resolution.
    pub resolution: Option<Option<String>>,
    /// The first frame.
    pub first_frame: Option<Option<WebUrl>>,
    /// The last frame.
    pub last_frame: Option<Option<WebUrl>>,
    /// Images to compose.
    pub images: Option<Vec<WebUrl>>,
    /// The id or the number of the scene that it depends on, or `previous`; an inner none for no scene.
    pub depends_on: Option<Option<String>>,
}

/// A scene that a client adds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SceneRequest {
    /// Its index in the list of the request; none if the request is this one scene.
    pub index: Option<usize>,
    /// The client's id for it.
    pub id: Option<SceneId>,
    /// What it shows.
    pub fields: SceneFields,
    /// The client's notes.
    pub notes: String,
    /// Whether it is a draft.
    pub draft: bool,
}

/// A member of a scene that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SceneFault {
    /// The index of the scene in the request; none if the request is about one scene.
    pub index: Option<usize>,
    /// The name of the member.
    pub member: &'static str,
    /// What would be right.
    pub right: String,
}

/// A fault of the scene of a request that is about one scene.
fn fault(member: &'static str, right: impl Into<String>) -> SceneFault {
    SceneFault { index: None, member, right: right.into() }
}

/// Scenes that are read from a request.
#[derive(Debug, Default)]
pub struct ReadScenes {
    /// The scenes.
    pub scenes: Vec<NewScene>,
    /// Sentences about what differs from the request.
    pub warnings: Vec<String>,
}

/// Reads the scenes of a request for a project that has the `known` scenes. `random` makes their ids.
///
/// # Errors
/// [`SceneFault`].
pub fn read_new(
    project: &ProjectId,
    known: &[Scene],
    requests: Vec<SceneRequest>,
    prompts: &mut Prompts,
    mut random: impl FnMut() -> u128,
) -> Result<ReadScenes, SceneFault> {
    let mut numbers: BTreeSet<String> = known.iter().map(|scene| scene.spec.number.clone()).collect();
    numbers.extend(requests.iter().filter_map(|request| request.fields.number.clone()));
    let mut named: Vec<(SceneId, String)> =
        known.iter().map(|scene| (scene.id.clone(), scene.spec.number.clone())).collect();
    let mut last = known.iter().map(|scene| scene.spec.number.clone()).max_by(|one, other| graph::natural(one, other));
    // Names of scenes come first, since a scene may depend on a later one.
    for (index, request) in requests.iter().take(MAX_SCENES).enumerate() {
        let id = request.id.clone().unwrap_or_else(|| SceneId::random(random()));
        let next = || requests[index + 1..].iter().find_map(|request| request.fields.number.as_deref());
        let number = match &request.fields.number {
            Some(number) => number.clone(),
            None => number_after(last.as_deref(), next(), &numbers, known.len() + index + 1),
        };
        numbers.insert(number.clone());
        last = Some(number.clone());
        named.push((id, number));
    }
    let mut read = ReadScenes::default();
    for (at, request) in requests.into_iter().take(MAX_SCENES).enumerate() {
        let (id, number) = named[known.len() + at].clone();
        let fields = SceneFields { number: Some(number.clone()), ..request.fields };
        let spec = SceneSpec { duration_ms: DURATION_MS, ..SceneSpec::default() };
        let before = named.iter().any(|(_, other)| graph::natural(other, &number).is_lt());
        let of = Named { project, id: &id, scenes: &named, before, draft: request.draft };
        let (spec, warning) =
            of.apply(spec, fields, prompts).map_err(|fault| SceneFault { index: request.index, ..fault })?;
        read.warnings.extend(warning.map(|warning| match request.index {
            Some(index) => format!("scenes[{index}].{warning}"),
            None => warning,
        }));
        read.scenes.push(NewScene { id, spec, notes: request.notes, draft: request.draft });
    }
    Ok(read)
}

/// The specification of a scene after a change, and a sentence about what differs from the request.
///
/// # Errors
/// [`SceneFault`].
pub fn read_change(
    project: &Project,
    scene: &Scene,
    fields: SceneFields,
    draft: bool,
    prompts: &mut Prompts,
) -> Result<(SceneSpec, Option<String>), SceneFault> {
    let named: Vec<(SceneId, String)> =
        project.scenes.iter().map(|scene| (scene.id.clone(), scene.spec.number.clone())).collect();
    let before = project.scenes.first().is_none_or(|first| first.id != scene.id);
    let of = Named { project: &project.id, id: &scene.id, scenes: &named, before, draft };
    let is_new = |url: &Option<WebUrl>| url.as_ref().is_none_or(|url| !is_shown(project, scene, url));
    let fields = SceneFields {
        first_frame: fields.first_frame.filter(is_new),
        last_frame: fields.last_frame.filter(is_new),
        depends_on: fields.depends_on.filter(|on| !is_shown_dependency(project, scene, on.as_deref())),
        ..fields
    };
    of.apply(scene.spec.clone(), fields, prompts)
}

/// Whether a URL is that of a frame of the scene's takes, or of the frame that it starts from: a client that sends a scene
/// back as answers show it changes no frame.
fn is_shown(project: &Project, scene: &Scene, url: &WebUrl) -> bool {
    let frames = scene.takes.iter().flat_map(|take| [take.first_frame.clone(), take.last_frame.clone()]);
    let inherited = project.first_frame_of(&scene.id);
    frames.flatten().chain(inherited).any(|file| {
        let ours = file.key.as_deref().is_some_and(|key| url.path() == path(key));
        ours || file.source.as_ref() == Some(url)
    })
}

/// Whether answers show this dependency for a scene that depends on the one before: a client that sends it back does not
/// tie the scene to the one that is before it now.
fn is_shown_dependency(project: &Project, scene: &Scene, on: Option<&str>) -> bool {
    if scene.spec.depends_on != Dependency::Previous {
        return false;
    }
    let index = project.scenes.iter().position(|one| one.id == scene.id);
    let before = index.and_then(|index| graph::dependency(&project.scenes, index));
    before.map(|before| project.scenes[before].id.as_str()) == on
}

/// A free number after the scene `before` and, if `next` comes later, before that: a whole number from `from` on, or else
/// the number before with letters.
fn number_after(before: Option<&str>, next: Option<&str>, used: &BTreeSet<String>, from: usize) -> String {
    let next = next.filter(|next| before.is_none_or(|before| graph::natural(before, next).is_lt()));
    let fits = |number: &str| {
        before.is_none_or(|before| graph::natural(before, number).is_lt())
            && next.is_none_or(|next| graph::natural(number, next).is_lt())
    };
    let end = |text: &str| text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let digits = before.and_then(|before| before[..end(before)].parse::<usize>().ok()?.checked_add(1));
    let whole = free_number(used, from.max(digits.unwrap_or_default()));
    if fits(&whole) {
        return whole;
    }
    let mut between = before.unwrap_or("0").to_owned();
    while used.contains(&between) {
        between.push('a');
    }
    if fits(&between) && between.len() <= NUMBER_LIMIT { between } else { whole }
}

/// The first whole number from `from` on that no scene has.
fn free_number(used: &BTreeSet<String>, from: usize) -> String {
    (from..).map(|number| number.to_string()).find(|number| !used.contains(number)).unwrap_or_default()
}

/// A scene among the ids and numbers of its project.
struct Named<'a> {
    project: &'a ProjectId,
    id: &'a SceneId,
    scenes: &'a [(SceneId, String)],
    /// Whether there is a scene before it.
    before: bool,
    draft: bool,
}

impl Named<'_> {
    fn apply(
        &self,
        mut spec: SceneSpec,
        fields: SceneFields,
        prompts: &mut Prompts,
    ) -> Result<(SceneSpec, Option<String>), SceneFault> {
        set(&mut spec.number, fields.number);
        set(&mut spec.name, fields.name);
        set(&mut spec.kind, fields.kind);
        set(&mut spec.duration_ms, fields.duration_ms);
        set(&mut spec.fps, fields.fps);
        set(&mut spec.model, fields.model);
        set(&mut spec.resolution, fields.resolution);
        set(&mut spec.first_frame, fields.first_frame);
        set(&mut spec.last_frame, fields.last_frame);
        set(&mut spec.images, fields.images);
        if let Some(on) = fields.depends_on {
            spec.depends_on = self.dependency(on)?;
        }
        if let Some(text) = fields.prompt {
            spec.prompt = prompts.add(self.project, self.id, text);
        }
        let has_before = match spec.depends_on {
            Dependency::Previous => self.before,
            Dependency::Nothing => false,
            Dependency::Scene(_) => true,
        };
        if !self.draft {
            if let Some(member) = graph::missing_image(&spec, has_before) {
                let kind = spec.kind.name();
                return Err(fault(member, format!("present for the type `{kind}`")));
            }
            let has_prompt = !matches!(&spec.prompt, LongText::Inline(text) if text.trim().is_empty());
            if spec.kind == SceneKind::TextToVideo && !has_prompt {
                return Err(fault("prompt", "a text that says what the video shows"));
            }
        }
        Ok(shortened(spec))
    }

    fn dependency(&self, on: Option<String>) -> Result<Dependency, SceneFault> {
        let Some(on) = on else { return Ok(Dependency::Nothing) };
        if on == PREVIOUS {
            return Ok(Dependency::Previous);
        }
        let by_id = self.scenes.iter().find(|(id, _)| id.as_str() == on);
        let found = by_id.or_else(|| self.scenes.iter().find(|(_, number)| *number == on));
        let (id, _) = found.ok_or_else(|| {
            fault("dependsOn", format!("the id or the number of a scene of the project, `{PREVIOUS}`, or null"))
        })?;
        Ok(Dependency::Scene(id.clone()))
    }
}

fn set<T>(value: &mut T, new: Option<T>) {
    if let Some(new) = new {
        *value = new;
    }
}

/// A scene that is longer than its model's videos is shortened, with a sentence about it.
fn shortened(spec: SceneSpec) -> (SceneSpec, Option<String>) {
    let most = models::limit(spec.model.as_deref());
    if spec.duration_ms <= most {
        return (spec, None);
    }
    let seconds = |ms: u64| ms as f64 / 1000.0;
    let model = spec.model.as_deref().unwrap_or("default");
    let sentence = format!(
        "duration: the model `{model}` makes videos of at most {} s, {} s is used instead of {} s",
        seconds(most),
        seconds(most),
        seconds(spec.duration_ms),
    );
    (SceneSpec { duration_ms: most, ..spec }, Some(sentence))
}

#[cfg(test)]
mod tests {
    use reelhook_domain::{OutboundEvent, Timestamp};

    use super::*;
    use crate::projects::examples;

    fn scene(fields: SceneFields) -> SceneRequest {
        SceneRequest { fields: SceneFields { prompt: Some("A fox".to_owned()), ..fields }, ..SceneRequest::default() }
    }

    /// Reads the scenes of a list.
    fn read(requests: Vec<SceneRequest>) -> Result<ReadScenes, SceneFault> {
        let indexed = |(index, request)| SceneRequest { index: Some(index), ..request };
        read_at(requests.into_iter().enumerate().map(indexed).collect())
    }

    fn read_at(requests: Vec<SceneRequest>) -> Result<ReadScenes, SceneFault> {
        let mut next = 0;
        let random = || {
            next += 1;
            next
        };
        read_new(&ProjectId::parse("proj_1").unwrap(), &[], requests, &mut Prompts::default(), random)
    }

    #[test]
    fn numbers_that_are_missing_are_the_free_ones() {
        let number = |text: &str| SceneFields { number: Some(text.to_owned()), ..SceneFields::default() };
        let read = read(vec![scene(number("2")), scene(SceneFields::default()), scene(number("010"))]).unwrap();
        let numbers: Vec<_> = read.scenes.iter().map(|scene| scene.spec.number.as_str()).collect();
        assert_eq!(numbers, ["2", "3", "010"]);
        assert!(read.scenes.iter().all(|scene| scene.spec.duration_ms == 5_000 && !scene.draft));
    }

    #[test]
    fn numbers_that_are_missing_keep_the_order_of_the_list() {
        for (given, expected) in [
            (&["", "", ""][..], &["1", "2", "3"][..]),
            (&["5", ""], &["5", "6"]),
            (&["5", "", "6", ""], &["5", "5a", "6", "7"]),
            (&["", "1"], &["0", "1"]),
            (&["1", "", "", "2"], &["1", "1a", "1aa", "2"]),
            (&["a", "", "b"], &["a", "aa", "b"]),
            (&["9", "", "3", ""], &["9", "10", "3", "4"]),
        ] {
            let number = |text: &&str| Some(*text).filter(|text| !text.is_empty()).map(str::to_owned);
            let fields = |text| SceneFields { number: number(text), ..SceneFields::default() };
            let read = read(given.iter().map(|text| scene(fields(text))).collect()).unwrap();
            let numbers: Vec<_> = read.scenes.iter().map(|scene| scene.spec.number.as_str()).collect();
            assert_eq!(numbers, expected, "{given:?}");
        }
        let mut known = examples::project(OutboundEvent::ProjectCompleted, Timestamp(0)).scenes;
        known[1].spec.number = "30".to_owned();
        let id = ProjectId::parse("proj_1").unwrap();
        let new = vec![scene(SceneFields::default())];
        let read = read_new(&id, &known, new, &mut Prompts::default(), || 1).unwrap();
        assert_eq!(read.scenes[0].spec.number, "31", "it comes last");
    }

    #[test]
    fn a_dependency_is_an_id_or_a_number_also_of_a_later_scene() {
        let on = |on: Option<&str>| SceneFields { depends_on: Some(on.map(str::to_owned)), ..SceneFields::default() };
        let id = SceneId::parse("scene_b").unwrap();
        let second = SceneRequest { id: Some(id.clone()), ..scene(on(None)) };
        let third = scene(on(Some("2")));
        let read = read(vec![scene(on(Some("scene_b"))), second, third]).unwrap();
        let dependencies: Vec<_> = read.scenes.into_iter().map(|scene| scene.spec.depends_on).collect();
        assert_eq!(dependencies, [Dependency::Scene(id.clone()), Dependency::Nothing, Dependency::Scene(id)]);
        let read = self::read(vec![scene(SceneFields::default()), scene(on(Some("previous")))]).unwrap();
        assert_eq!(read.scenes[1].spec.depends_on, Dependency::Previous);
        let fault = self::read(vec![scene(on(Some("nowhere")))]).unwrap_err();
        assert_eq!((fault.index, fault.member), (Some(0), "dependsOn"));
    }

    #[test]
    fn a_dependency_is_changed_to_the_scene_before_and_back() {
        let mut project = examples::project(OutboundEvent::ProjectCompleted, Timestamp(1_704_110_400_000));
        let first = project.scenes[0].id.clone();
        let change = |project: &Project, on: Option<&str>| {
            let fields = SceneFields { depends_on: Some(on.map(str::to_owned)), ..SceneFields::default() };
            read_change(project, &project.scenes[1], fields, false, &mut Prompts::of(project)).unwrap().0.depends_on
        };
        assert_eq!(change(&project, Some(first.as_str())), Dependency::Previous, "it is sent back as it is shown");
        assert_eq!(change(&project, None), Dependency::Nothing);
        project.scenes[1].spec.depends_on = Dependency::Nothing;
        assert_eq!(change(&project, Some("previous")), Dependency::Previous);
        assert_eq!(change(&project, Some(first.as_str())), Dependency::Scene(first));
    }

    #[test]
    fn a_missing_image_is_named_unless_the_scene_before_supplies_it() {
        let kind = |kind| SceneFields { kind: Some(kind), ..SceneFields::default() };
        let image = || scene(kind(SceneKind::ImageToVideo));
        let fault = read(vec![image()]).unwrap_err();
        assert_eq!((fault.index, fault.member), (Some(0), "firstFrameUrl"));
        assert!(read(vec![scene(SceneFields::default()), image()]).is_ok());
        let fault = read(vec![scene(SceneFields::default()), scene(kind(SceneKind::CompositeToVideo))]).unwrap_err();
        assert_eq!((fault.index, fault.member), (Some(1), "imageUrls"));
        assert!(read(vec![SceneRequest { draft: true, ..image() }]).is_ok());
        // The order is that of the numbers.
        let number = |scene: SceneRequest, number: &str| SceneRequest {
            fields: SceneFields { number: Some(number.to_owned()), ..scene.fields },
            ..scene
        };
        let first = number(image(), "1");
        assert_eq!(read(vec![number(scene(SceneFields::default()), "2"), first]).unwrap_err().index, Some(1));
    }

    #[test]
    fn a_scene_that_is_sent_back_as_it_is_shown_changes_no_frame() {
        let at = Timestamp(1_704_110_400_000);
        let project = examples::project(OutboundEvent::ProjectCompleted, at);
        let scene = &project.scenes[0];
        let frame = scene.takes[0].last_frame.as_ref().and_then(|file| file.key.as_deref()).map(path).unwrap();
        let url = |text: &str| Some(WebUrl::parse(text));
        let change = |last_frame| {
            let fields = SceneFields { last_frame, ..SceneFields::default() };
            read_change(&project, scene, fields, false, &mut Prompts::of(&project)).unwrap().0
        };
        assert_eq!(change(url(&format!("https://api.example{frame}?token=t"))), scene.spec);
        let first = |project: &Project, scene: &Scene, first_frame| {
            let fields = SceneFields { first_frame: Some(first_frame), ..SceneFields::default() };
            read_change(project, scene, fields, false, &mut Prompts::of(project)).unwrap().0.first_frame
        };
        let mut own = project.clone();
        own.scenes[1].takes.clear();
        own.scenes[1].spec.first_frame = WebUrl::parse("https://a.example/own.png");
        let inherited = WebUrl::parse(&format!("https://api.example{frame}?token=t"));
        assert_eq!(first(&own, &own.scenes[1], inherited), own.scenes[1].spec.first_frame, "it is not its own");
        assert_eq!(first(&own, &own.scenes[1], None), None, "null removes it");
        assert_eq!(change(url("https://a.example/end.png")).last_frame, WebUrl::parse("https://a.example/end.png"));
    }

    #[test]
    fn a_scene_that_is_too_long_for_its_model_is_shortened_with_a_warning() {
        let fields =
            SceneFields { model: Some(Some("veo-3".to_owned())), duration_ms: Some(12_500), ..SceneFields::default() };
        let read = read(vec![scene(fields)]).unwrap();
        assert_eq!(read.scenes[0].spec.duration_ms, 8_000);
        let warning =
            "scenes[0].duration: the model `veo-3` makes videos of at most 8 s, 8 s is used instead of 12.5 s";
        assert_eq!(read.warnings, [warning]);
    }

    #[test]
    fn the_one_scene_of_a_request_has_no_index() {
        let one = |request| read_at(vec![request]);
        let fault = one(SceneRequest::default()).unwrap_err();
        assert_eq!((fault.index, fault.member), (None, "prompt"));
        let long = scene(SceneFields {
            duration_ms: Some(12_500),
            model: Some(Some("veo-3".to_owned())),
            ..SceneFields::default()
        });
        let warning = "duration: the model `veo-3` makes videos of at most 8 s, 8 s is used instead of 12.5 s";
        assert_eq!(one(long).unwrap().warnings, [warning]);
    }
}
