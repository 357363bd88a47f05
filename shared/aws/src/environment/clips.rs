//! The variables of clip jobs: the worker, their timers, and credits.

use reelhook_app::Url;
use reelhook_domain::ClipPolicy;
use reelhook_domain::credits::price::CreditPrice;

use super::Environment;

impl Environment {
    /// CLIPPING_WORKER_URL: the worker that cuts clips; none if our renderers do.
    pub fn clipping_worker(&mut self) -> Option<Url> {
        self.optional_url("CLIPPING_WORKER_URL")
    }

    /// CREDITS: whether a job needs the credits that it reserves, `on` or `off`.
    pub fn credits_limited(&mut self) -> bool {
        match self.optional("CREDITS").as_deref() {
            None | Some("off") => false,
            Some("on") => true,
            Some(other) => {
                self.fail(format!("CREDITS must be `on` or `off` (got `{other}`)"));
                false
            }
        }
    }

    /// CREDITS_MINIMUM, CREDITS_PER_MINUTE: what clips cost.
    fn credit_price(&mut self) -> CreditPrice {
        let default = CreditPrice::default();
        CreditPrice {
            minimum: self.parsed("CREDITS_MINIMUM", default.minimum),
            per_minute: self.parsed("CREDITS_PER_MINUTE", default.per_minute),
        }
    }

    /// The clip jobs' engine, timers and prices: [`Self::clipping_worker`], CLIP_QUEUE_TIMEOUT, CLIP_TIMEOUT,
    /// CLIP_SILENCE_SECONDS, CLIP_POLL_SECONDS, SUBMIT_LEASE_SECONDS, PIECE_LEASE_SECONDS, HINT_GRACE_SECONDS,
    /// RETRY_DELAY_PERCENT, CREDITS_MINIMUM, CREDITS_PER_MINUTE.
    pub fn clip_policy(&mut self) -> ClipPolicy {
        let default = ClipPolicy::default();
        let first_poll = self.seconds("CLIP_POLL_SECONDS", default.first_poll);
        ClipPolicy {
            has_worker: self.clipping_worker().is_some(),
            queued: self.seconds("CLIP_QUEUE_TIMEOUT", default.queued),
            deadline: self.seconds("CLIP_TIMEOUT", default.deadline),
            silence: self.seconds("CLIP_SILENCE_SECONDS", default.silence),
            first_poll,
            longest_poll: default.longest_poll.max(first_poll),
            submit_lease: self.seconds("SUBMIT_LEASE_SECONDS", default.submit_lease),
            piece_lease: self.seconds("PIECE_LEASE_SECONDS", default.piece_lease),
            hint_grace: self.seconds("HINT_GRACE_SECONDS", default.hint_grace),
            retry_delay_percent: self.parsed("RETRY_DELAY_PERCENT", default.retry_delay_percent),
            price: self.credit_price(),
            ..default
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &'static [(&'static str, &'static str)]) -> Environment {
        Environment::with(move |name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn our_own_renderers_cut_and_credits_have_no_limit_unless_it_is_set() {
        let mut environment = environment(&[]);
        assert_eq!(environment.clip_policy(), ClipPolicy::default());
        assert!(!environment.credits_limited());
        environment.finish().unwrap();
    }

    #[test]
    fn the_worker_timers_and_prices_are_read() {
        let mut environment = environment(&[
            ("CLIPPING_WORKER_URL", "https://worker.example"),
            ("CLIP_QUEUE_TIMEOUT", "300"),
            ("CLIP_TIMEOUT", "100"),
            ("CLIP_SILENCE_SECONDS", "2"),
            ("CLIP_POLL_SECONDS", "90"),
            ("SUBMIT_LEASE_SECONDS", "30"),
            ("CREDITS", "on"),
            ("CREDITS_MINIMUM", "0"),
            ("CREDITS_PER_MINUTE", "7"),
        ]);
        let policy = environment.clip_policy();
        let times = [
            policy.queued,
            policy.deadline,
            policy.silence,
            policy.first_poll,
            policy.longest_poll,
            policy.submit_lease,
        ];
        assert_eq!(times.map(|time| time.as_secs()), [300, 100, 2, 90, 90, 30]);
        assert_eq!((policy.has_worker, policy.price), (true, CreditPrice { minimum: 0, per_minute: 7 }));
        assert!(environment.credits_limited());
        environment.finish().unwrap();
    }

    #[test]
    fn a_limit_of_credits_that_is_none_is_named() {
        let mut environment = environment(&[("CREDITS", "yes")]);
        environment.credits_limited();
        let error = environment.finish().unwrap_err().to_string();
        assert_eq!(error, "bad environment: CREDITS must be `on` or `off` (got `yes`)");
    }
}
