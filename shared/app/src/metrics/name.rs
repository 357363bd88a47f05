//! Every metric: its name, its unit, and the dimensions beside the service (docs/metrics.md lists them for people).

use strum::{IntoStaticStr, VariantArray};

/// The unit of a metric, as CloudWatch names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr)]
pub enum Unit {
    /// A number of things.
    Count,
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
}

impl Unit {
    /// The name in CloudWatch.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// A metric. Its name in CloudWatch is that of the variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, IntoStaticStr, VariantArray)]
pub enum MetricName {
    /// First invocations of instances.
    ColdStart,
    /// Accepted jobs, started projects and accepted clip jobs.
    JobsSubmitted,
    /// Those that ended.
    JobsEnded,
    /// The time from start to end.
    JobDuration,
    /// The time from submission to the first start.
    TimeToStart,
    /// The time from submission to completion.
    TimeToEnd,
    /// The time from submission until a receiver accepted the webhook about the end.
    TimeToFirstDelivery,
    /// Delivery attempts that ended.
    DeliveryAttempts,
    /// Deliveries that ended.
    DeliveriesEnded,
    /// Delivery attempts that ended and were not the first of their delivery.
    DeliveryRetries,
    /// The time until a receiver's answer began.
    TimeToFirstByte,
    /// Deliveries that wait for their endpoint.
    DeliveryWaits,
    /// Circuit breakers of endpoints that opened.
    CircuitOpenings,
    /// Endpoints that were disabled.
    EndpointsDisabled,
    /// Requests that were answered with an error.
    ApiErrors,
    /// Errors that were raised.
    ErrorsRaised,
    /// Renderers' work on pieces that ended.
    PiecesEnded,
    /// The time of the work on a piece that is done.
    PieceDuration,
    /// Frames that were drawn.
    FramesRendered,
    /// The length of completed videos.
    VideoSeconds,
    /// Attempts at calls of AWS after the first.
    SdkRetries,
    /// Attempts at calls of AWS that were throttled.
    SdkThrottles,
}

impl MetricName {
    /// Every metric.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The name in CloudWatch.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// The unit of its values.
    pub fn unit(self) -> Unit {
        match self {
            Self::JobDuration
            | Self::TimeToStart
            | Self::TimeToEnd
            | Self::TimeToFirstDelivery
            | Self::TimeToFirstByte
            | Self::PieceDuration => Unit::Milliseconds,
            Self::VideoSeconds => Unit::Seconds,
            Self::ColdStart
            | Self::JobsSubmitted
            | Self::JobsEnded
            | Self::DeliveryAttempts
            | Self::DeliveriesEnded
            | Self::DeliveryRetries
            | Self::DeliveryWaits
            | Self::CircuitOpenings
            | Self::EndpointsDisabled
            | Self::ApiErrors
            | Self::ErrorsRaised
            | Self::PiecesEnded
            | Self::FramesRendered
            | Self::SdkRetries
            | Self::SdkThrottles => Unit::Count,
        }
    }

    /// The names of its dimensions, in the order of their values.
    pub fn dimensions(self) -> &'static [&'static str] {
        match self {
            Self::ColdStart => &["function_name"],
            Self::JobsEnded => &["family", "status"],
            Self::PiecesEnded => &["family", "result"],
            Self::JobsSubmitted
            | Self::JobDuration
            | Self::TimeToStart
            | Self::TimeToEnd
            | Self::TimeToFirstDelivery
            | Self::PieceDuration
            | Self::VideoSeconds => &["family"],
            Self::DeliveryAttempts => &["result"],
            Self::DeliveriesEnded => &["status"],
            Self::DeliveryWaits => &["reason"],
            Self::ApiErrors | Self::ErrorsRaised => &["code"],
            Self::SdkRetries | Self::SdkThrottles => &["aws_service"],
            Self::DeliveryRetries
            | Self::TimeToFirstByte
            | Self::CircuitOpenings
            | Self::EndpointsDisabled
            | Self::FramesRendered => &[],
        }
    }

    /// Whether its sum over all values of its dimensions is a metric too: where these values are too many for a widget or
    /// an alarm on each.
    pub fn has_total(self) -> bool {
        matches!(self, Self::ApiErrors | Self::ErrorsRaised)
    }
}
