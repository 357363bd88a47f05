//! Stitching: the tree that makes one video of a project's scenes. A stitch belongs to a generation, the ordered
//! attempts of the scenes; a result of an older generation changes nothing.

use crate::SceneId;
use crate::projects::media::Video;
use crate::projects::task::{Target, Task, TaskRef};

/// The ordered scenes, each with the attempt whose take is stitched.
pub type Takes = Vec<(SceneId, u32)>;

/// A stitch of one generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stitch {
    /// Counts the generations of a project from 1.
    pub generation: u32,
    /// What is stitched.
    pub takes: Takes,
    /// The tree, its root last. A node's inputs are takes and nodes before it.
    pub nodes: Vec<Node>,
}

impl Stitch {
    /// A new stitch: a balanced tree that keeps the order, with at most `max_inputs` inputs for a node (0 for no limit).
    pub fn new(generation: u32, takes: Takes, max_inputs: u16) -> Self {
        let most = match max_inputs {
            0 => takes.len().max(2),
            most => usize::from(most).max(2),
        };
        let mut nodes = Vec::new();
        let mut level: Vec<Input> = (0..takes.len()).map(|take| Input::Take(number(take))).collect();
        while level.len() > most {
            let (all, groups) = (level.len(), level.len().div_ceil(most));
            let group = |group: usize| &level[all * group / groups..all * (group + 1) / groups];
            level = (0..groups).map(|index| joined(&mut nodes, group(index))).collect();
        }
        nodes.push(Node { inputs: level, state: NodeState::Blocked });
        Self { generation, takes, nodes }
    }

    /// The nodes that may start: they are blocked, and all their inputs are there.
    pub fn ready(&self) -> Vec<usize> {
        let is_there = |input: &Input| match input {
            Input::Take(_) => true,
            Input::Node(node) => matches!(self.nodes[usize::from(*node)].state, NodeState::Done(_)),
        };
        let is_ready = |node: &Node| node.state == NodeState::Blocked && node.inputs.iter().all(is_there);
        (0..self.nodes.len()).filter(|index| is_ready(&self.nodes[*index])).collect()
    }

    /// The tasks of its nodes, each with its reference.
    pub fn tasks(&self) -> impl Iterator<Item = (TaskRef, &Task)> {
        let run = self.generation;
        self.nodes.iter().enumerate().filter_map(move |(index, node)| match &node.state {
            NodeState::Running(task) => {
                Some((TaskRef { target: Target::Stitch(number(index)), run, number: task.number }, task))
            }
            NodeState::Blocked | NodeState::Done(_) => None,
        })
    }

    /// The task of a node, if it is under way.
    pub fn task(&self, node: u16) -> Option<&Task> {
        match &self.nodes.get(usize::from(node))?.state {
            NodeState::Running(task) => Some(task),
            NodeState::Blocked | NodeState::Done(_) => None,
        }
    }

    /// Like [`Self::task`], to change it.
    pub(super) fn task_mut(&mut self, node: u16) -> Option<&mut Task> {
        match &mut self.nodes.get_mut(usize::from(node))?.state {
            NodeState::Running(task) => Some(task),
            NodeState::Blocked | NodeState::Done(_) => None,
        }
    }

    /// How much of it is made, 0 to 100.
    pub fn progress(&self) -> u8 {
        let done = self.nodes.iter().filter(|node| matches!(node.state, NodeState::Done(_))).count();
        u8::try_from(done * 100 / self.nodes.len().max(1)).unwrap_or(100)
    }
}

/// One stitch of the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// What it joins, in order.
    pub inputs: Vec<Input>,
    /// Its state.
    pub state: NodeState,
}

/// An input of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// The take of this index in [`Stitch::takes`].
    Take(u16),
    /// The output of the node of this index.
    Node(u16),
}

/// The state of a node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeState {
    /// It waits for its inputs.
    Blocked,
    /// A task makes it.
    Running(Task),
    /// Its video is there.
    Done(Video),
}

/// A group of inputs as one input: a node of their own, unless there is one only.
fn joined(nodes: &mut Vec<Node>, group: &[Input]) -> Input {
    if let [input] = group {
        return *input;
    }
    nodes.push(Node { inputs: group.to_vec(), state: NodeState::Blocked });
    Input::Node(number(nodes.len() - 1))
}

/// The number of a take or a node. A project has so few scenes that each has one.
fn number(index: usize) -> u16 {
    u16::try_from(index).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn takes(count: usize) -> Takes {
        (0..count).map(|index| (SceneId::parse(&format!("scene_{index}")).unwrap(), 1)).collect()
    }

    /// The takes under a node, in order.
    fn leaves(stitch: &Stitch, input: Input) -> Vec<u16> {
        match input {
            Input::Take(take) => vec![take],
            Input::Node(node) => {
                stitch.nodes[usize::from(node)].inputs.iter().flat_map(|input| leaves(stitch, *input)).collect()
            }
        }
    }

    #[test]
    fn a_tree_has_each_take_once_in_order_and_no_node_above_the_limit() {
        for (count, most) in
            [(2, 0), (200, 0), (2, 10), (10, 10), (11, 10), (12, 10), (200, 10), (3, 2), (199, 2), (5, 1)]
        {
            let stitch = Stitch::new(1, takes(count), most);
            let limit = if most == 0 { count } else { usize::from(most).max(2) };
            for (index, node) in stitch.nodes.iter().enumerate() {
                assert!((2..=limit).contains(&node.inputs.len()), "{count} {most}: {} inputs", node.inputs.len());
                let earlier = |input: &Input| match input {
                    Input::Take(_) => true,
                    Input::Node(node) => usize::from(*node) < index,
                };
                assert!(node.inputs.iter().all(earlier), "{count} {most}: a node comes before its inputs");
            }
            let root = Input::Node(number(stitch.nodes.len() - 1));
            let expected: Vec<u16> = (0..number(count)).collect();
            assert_eq!(leaves(&stitch, root), expected, "{count} {most}");
        }
        assert_eq!(
            Stitch::new(1, takes(12), 10).nodes.iter().map(|node| node.inputs.len()).collect::<Vec<_>>(),
            [6, 6, 2]
        );
    }

    #[test]
    fn a_node_is_ready_when_its_inputs_are_there() {
        let mut stitch = Stitch::new(1, takes(12), 10);
        assert_eq!((stitch.ready(), stitch.progress()), (vec![0, 1], 0));
        stitch.nodes[0].state = NodeState::Done(Video::default());
        stitch.nodes[1].state = NodeState::Running(Task::own());
        assert_eq!((stitch.ready(), stitch.progress()), (vec![], 33));
        stitch.nodes[1].state = NodeState::Done(Video::default());
        assert_eq!(stitch.ready(), [2]);
    }
}
