//! The stored form of a stitch and of the final video.

use reelhook_domain::Timestamp;
use reelhook_domain::projects::media::Video;
use reelhook_domain::projects::project::FinalVideo;
use reelhook_domain::projects::stitch::{Input, Node, NodeState, Stitch, Takes};
use serde::{Deserialize, Serialize};

use super::stored_task::StoredTask;

/// The stored form of a stitch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct StoredStitch {
    generation: u32,
    takes: Takes,
    nodes: Vec<StoredNode>,
}

/// The stored form of one stitch of the tree: it waits for its inputs if it has neither a task nor a video.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct StoredNode {
    inputs: Vec<StoredInput>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    task: Option<StoredTask>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    video: Option<Video>,
}

/// The stored form of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredInput {
    Take(u16),
    Node(u16),
}

/// The stored form of the final video.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct StoredFinal {
    video: Video,
    takes: Takes,
    at: Timestamp,
}

impl From<&Stitch> for StoredStitch {
    fn from(stitch: &Stitch) -> Self {
        Self {
            generation: stitch.generation,
            takes: stitch.takes.clone(),
            nodes: stitch.nodes.iter().map(StoredNode::from).collect(),
        }
    }
}

impl From<StoredStitch> for Stitch {
    fn from(stored: StoredStitch) -> Self {
        Self {
            generation: stored.generation,
            takes: stored.takes,
            nodes: stored.nodes.into_iter().map(Node::from).collect(),
        }
    }
}

impl From<&Node> for StoredNode {
    fn from(node: &Node) -> Self {
        let input = |input: &Input| match *input {
            Input::Take(index) => StoredInput::Take(index),
            Input::Node(index) => StoredInput::Node(index),
        };
        let (task, video) = match &node.state {
            NodeState::Blocked => (None, None),
            NodeState::Running(task) => (Some(task.into()), None),
            NodeState::Done(video) => (None, Some(video.clone())),
        };
        Self { inputs: node.inputs.iter().map(input).collect(), task, video }
    }
}

impl From<StoredNode> for Node {
    fn from(stored: StoredNode) -> Self {
        let input = |input: StoredInput| match input {
            StoredInput::Take(index) => Input::Take(index),
            StoredInput::Node(index) => Input::Node(index),
        };
        let state = match (stored.video, stored.task) {
            (Some(video), _) => NodeState::Done(video),
            (None, Some(task)) => NodeState::Running(task.into()),
            (None, None) => NodeState::Blocked,
        };
        Self { inputs: stored.inputs.into_iter().map(input).collect(), state }
    }
}

impl From<&FinalVideo> for StoredFinal {
    fn from(last: &FinalVideo) -> Self {
        let FinalVideo { video, takes, at } = last.clone();
        Self { video, takes, at }
    }
}

impl From<StoredFinal> for FinalVideo {
    fn from(stored: StoredFinal) -> Self {
        let StoredFinal { video, takes, at } = stored;
        Self { video, takes, at }
    }
}
