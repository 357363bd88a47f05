//! The limits of sizes, their exceptions, and what exceeds them.

use super::sizes::Size;

/// A limit of one kind of size.
pub struct Limit {
    /// The heading in the report.
    pub title: &'static str,
    /// The counted thing.
    pub unit: &'static str,
    /// The limit.
    pub most: usize,
    /// How to get below the limit.
    pub advice: &'static str,
    /// Subjects with a limit of their own.
    pub exceptions: &'static [Exception],
}

/// A subject with a limit of its own.
pub struct Exception {
    /// Its name: `reelhook_domain::Job`, or a path.
    pub what: &'static str,
    /// Its limit.
    pub most: usize,
    /// Why it is larger than others.
    pub reason: &'static str,
}

/// Keeps types easy to understand.
pub static FIELDS: Limit = Limit {
    title: "Fields per type",
    unit: "fields",
    most: 16,
    advice: "group the fields that change together in a type of their own",
    exceptions: &[
        Exception {
            what: "reelhook_aws::StoredJob",
            most: 55,
            reason: "it is the stored form of a job, one flat object whose fields are its attributes",
        },
        Exception {
            what: "reelhook_domain::ClipJob",
            most: 22,
            reason: "its run, clips, pieces and credits are one aggregate, and each of its times changes by itself",
        },
        Exception {
            what: "reelhook_domain::Delivery",
            most: 22,
            reason: "it is one stored row, and its fields are the row's attributes",
        },
        Exception {
            what: "reelhook_domain::Project",
            most: 23,
            reason: "its scenes, tasks and timers are one aggregate, and each of its times changes by itself",
        },
        Exception {
            what: "reelhook_testkit::Stack",
            most: 23,
            reason: "it has a field for each table, queue and setting of a deployed stack",
        },
    ],
};

/// Keeps ports to what one use case needs.
pub static METHODS: Limit = Limit {
    title: "Methods per port",
    unit: "methods",
    most: 5,
    advice: "split it by use: a type may implement several ports",
    exceptions: &[Exception {
        what: "reelhook_domain::Aggregate",
        most: 10,
        reason: "it is not a port: it defines what all versioned aggregates have in common",
    }],
};

/// Keeps folders easy to survey.
pub static FILES: Limit = Limit {
    title: "Files per folder",
    unit: "files",
    most: 16,
    advice: "move the files of one subject to a folder of their own",
    exceptions: &[
        Exception {
            what: "infra/studio/src",
            most: 19,
            reason: "each mock service is a file, and so is what they share",
        },
        Exception { what: "infra/xtask/src", most: 30, reason: "each command of `cargo xtask` is a file" },
        Exception {
            what: "shared/render/src",
            most: 28,
            reason: "each step from a film specification to a video is a file",
        },
        Exception { what: "shared/testkit/src", most: 19, reason: "each port has its fake in a file" },
    ],
};

/// Keeps files short enough to read in one go.
pub static LINES: Limit =
    Limit { title: "Lines per file", unit: "lines", most: 500, advice: "split it by responsibility", exceptions: &[] };

impl Limit {
    /// The exception for a subject.
    pub fn exception(&self, what: &str) -> Option<&'static Exception> {
        self.exceptions.iter().find(|exception| exception.what == what)
    }

    /// The limit of a subject.
    pub fn most_for(&self, what: &str) -> usize {
        self.exception(what).map_or(self.most, |exception| exception.most)
    }

    /// A line for each size above its limit, and for each exception that is not needed.
    pub fn problems(&self, sizes: &[Size]) -> Vec<String> {
        let Self { unit, most, advice, .. } = self;
        let exceeding = sizes.iter().filter(|size| size.number > self.most_for(&size.what)).map(|size| {
            let (limit, subject) = (self.most_for(&size.what), subject(size));
            format!("{subject} has {} {unit}, at most {limit} are allowed: {advice}", size.number)
        });
        let needed =
            |exception: &Exception| sizes.iter().any(|size| size.what == exception.what && size.number > *most);
        let stale = self.exceptions.iter().filter(|exception| !needed(exception)).map(|exception| {
            let Exception { what, .. } = exception;
            format!("infra/xtask/src/rules/limits.rs: no `{what}` has more than {most} {unit}: remove its exception")
        });
        exceeding.chain(stale).collect()
    }
}

/// The subject of a size, and its place.
fn subject(size: &Size) -> String {
    if size.what == size.place { size.place.clone() } else { format!("{}: `{}`", size.place, size.what) }
}
