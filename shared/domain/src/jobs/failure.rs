//! Classes of failures: whether and when a failed run is retried (docs/contract/jobs.md, Failure classes).

use std::time::Duration;

/// What to do after a failed run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Advice {
    /// A retry would fail again.
    Never {
        /// Why, for people.
        reason: &'static str,
        /// What would help, for people.
        solution: &'static str,
    },
    /// A retry may succeed after this delay, unless `limit` retries were used.
    Retry {
        /// The time before the retry.
        delay: Duration,
        /// The maximum number of retries for this class of failure.
        limit: u32,
    },
}

/// The class of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureClass {
    /// Credits or payment.
    Payment,
    /// Authentication.
    Authentication,
    /// Memory, disk or quota.
    Resources,
    /// Fewer movies than a video needs.
    TooFewMovies,
    /// The workflow can't make a video with these parameters.
    Workflow,
    /// A rate limit of a service.
    RateLimit,
    /// A network failure.
    Network,
    /// The headless browser.
    Browser,
    /// A service responded with an error.
    Service,
    /// The process was stopped.
    Stopped,
    /// Anything else.
    Other,
}

/// The class of a failure message: the first class with a keyword in the message.
pub fn classify(message: &str) -> FailureClass {
    use FailureClass::*;
    const TABLE: [(FailureClass, &[&str]); 10] = [
        (Payment, &["credits", "payment"]),
        (Authentication, &["authentication", "invalid api key", "unauthorized"]),
        (Resources, &["out of memory", "disk", "quota"]),
        (TooFewMovies, &["not enough movies", "insufficient movies"]),
        (Workflow, &["critical workflow", "no movies found", "database extraction failed"]),
        (RateLimit, &["rate limit", "too many requests"]),
        (Network, &["network", "connection", "timeout"]),
        (Browser, &["screenshot", "browser"]),
        (Service, &["api error", "service", "temporarily unavailable"]),
        (Stopped, &["cancelled", "killed", "stopped"]),
    ];
    let message = message.to_lowercase();
    TABLE.iter().find(|(_, words)| words.iter().any(|word| message.contains(word))).map_or(Other, |(class, _)| *class)
}

impl FailureClass {
    /// The name of the class, for people.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Payment => "Payment issue",
            Self::Authentication => "Authentication issue",
            Self::Resources => "Resource issue",
            Self::TooFewMovies => "Content issue",
            Self::Workflow => "Workflow issue",
            Self::RateLimit => "Rate limit",
            Self::Network => "Network issue",
            Self::Browser => "Screenshot or browser issue",
            Self::Service => "External service issue",
            Self::Stopped => "Process was stopped",
            Self::Other => "Unknown error",
        }
    }

    /// What to do after a failure of this class, if `retries` were used before.
    pub fn advice(self, retries: u32) -> Advice {
        let doubled = |seconds: u64| Duration::from_secs(seconds << retries.min(16));
        let any = u32::MAX;
        match self {
            Self::Payment => Advice::Never {
                reason: "Insufficient credits or a payment problem at a service",
                solution: "Top up the service's credits or resolve the payment problem, then retry the job",
            },
            Self::Authentication => Advice::Never {
                reason: "A service refused the credentials",
                solution: "Check the API keys of the worker, then retry the job",
            },
            Self::Resources => Advice::Never {
                reason: "The worker ran out of memory, disk or quota",
                solution: "Free or add resources on the worker, then retry the job",
            },
            Self::Workflow => Advice::Never {
                reason: "The workflow can't make a video with these parameters",
                solution: "Choose another genre, platform or country and submit a new job",
            },
            Self::TooFewMovies => Advice::Retry { delay: Duration::from_secs(120), limit: 1 },
            Self::RateLimit => Advice::Retry { delay: doubled(4 * 60), limit: 2 },
            Self::Network => Advice::Retry { delay: doubled(60), limit: any },
            Self::Browser => Advice::Retry { delay: doubled(45), limit: any },
            Self::Service => Advice::Retry { delay: doubled(60), limit: any },
            Self::Stopped => Advice::Retry { delay: Duration::from_secs(30), limit: any },
            Self::Other => Advice::Retry { delay: doubled(30), limit: any },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_has_the_class_of_its_first_match() {
        let check = |message: &str, expected: FailureClass| assert_eq!(classify(message), expected, "{message}");
        check("Insufficient credits for render", FailureClass::Payment);
        check("Payment required: network", FailureClass::Payment);
        check("HeyGen says UNAUTHORIZED", FailureClass::Authentication);
        check("Invalid API key", FailureClass::Authentication);
        check("Disk is full", FailureClass::Resources);
        check("Not enough movies: 2 of 3", FailureClass::TooFewMovies);
        check("No movies found for Horror", FailureClass::Workflow);
        check("Too many requests", FailureClass::RateLimit);
        check("connection reset", FailureClass::Network);
        check("browser crashed", FailureClass::Browser);
        check("Service returned 500", FailureClass::Service);
        check("process killed", FailureClass::Stopped);
        check("boom", FailureClass::Other);
    }

    #[test]
    fn delays_double_with_the_retries_used() {
        let delay = |class: FailureClass, retries| match class.advice(retries) {
            Advice::Retry { delay, limit } => (delay.as_secs(), limit),
            Advice::Never { .. } => (0, 0),
        };
        assert_eq!(delay(FailureClass::RateLimit, 0), (240, 2));
        assert_eq!(delay(FailureClass::RateLimit, 1), (480, 2));
        assert_eq!(delay(FailureClass::Network, 2).0, 240);
        assert_eq!(delay(FailureClass::Browser, 0).0, 45);
        assert_eq!(delay(FailureClass::Service, 0).0, 60);
        assert_eq!(delay(FailureClass::TooFewMovies, 0), (120, 1));
        assert_eq!(delay(FailureClass::Stopped, 3).0, 30);
        assert_eq!(delay(FailureClass::Other, 1).0, 60);
        assert_eq!(delay(FailureClass::Payment, 0), (0, 0));
    }
}
