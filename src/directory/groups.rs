//! Groups of organisations and of groups, resolved to organisations.

use foldhash::fast::RandomState;
use hashbrown::{HashMap, hash_map::Entry};

use super::{
    records::{GroupRecord, Member, Spot},
    registry::{Registry, also, or_add},
    sets::{OrganisationIndex, Organisations},
};
use crate::config::{Label, Listed, Located, Place};

/// The place of a group among all groups.
type GroupIndex = usize;

/// All groups with their organisations.
pub(super) struct Groups {
    by_name: HashMap<Label, GroupIndex, RandomState>,
    organisations: Vec<Organisations>,
    /// A section whose name can't be read.
    unread: Option<Spot>,
}

/// An entry of a list of organisations and groups.
pub(super) struct Mention {
    /// Its place in the list.
    position: usize,
    pub(super) place: Place,
    target: Target,
}

#[derive(Clone, Copy)]
enum Target {
    Organisation(OrganisationIndex),
    Group(GroupIndex),
}

impl Mention {
    /// The path of the entry: `agreement[2].practices[0]`.
    pub(super) fn path(&self, spot: Spot, key: &str) -> String {
        format!("{}[{}]", spot.key(key), self.position)
    }

    /// Whether it names a group.
    pub(super) const fn is_group(&self) -> bool {
        matches!(self.target, Target::Group(_))
    }
}

impl Groups {
    /// Resolves all groups; notes names that stand twice, unknown members and circles.
    pub(super) fn new(records: &[GroupRecord], registry: &Registry<'_>) -> Self {
        let mut by_name = HashMap::<Label, GroupIndex, RandomState>::default();
        for (index, record) in records.iter().enumerate() {
            let Some(name) = &record.name else { continue };
            match by_name.entry(name.value.clone()) {
                Entry::Vacant(vacant) => {
                    vacant.insert(index);
                }
                Entry::Occupied(first) => {
                    let Some(first) = records.get(*first.get()) else { continue };
                    let first = also(first.spot, registry.notebook);
                    let message =
                        format!("\"{}\" is {first}; each name may stand once", name.value);
                    registry.notebook.mistake(name.place, record.spot.key("name"), message);
                }
            }
        }
        let unread = records.iter().find(|record| record.name.is_none()).map(|record| record.spot);
        let mut groups = Self { by_name, organisations: Vec::new(), unread };
        let graph = Graph::new(records, &groups, registry);
        groups.organisations = graph.resolve(records, registry);
        groups
    }

    /// The organisations and groups that the list under `key` names; notes those that don't exist.
    pub(super) fn mentions(
        &self,
        spot: Spot,
        key: &str,
        members: &[Listed<Member>],
        registry: &Registry<'_>,
    ) -> Vec<Mention> {
        let mention = |member: &Listed<Member>| {
            let position = member.position;
            let path = || format!("{}[{position}]", spot.key(key));
            let place = member.place;
            let target = match &member.value {
                Member::Organisation(code) => {
                    let code = Located { value: *code, place };
                    Target::Organisation(registry.find(&code, path)?)
                }
                Member::Group(name) => Target::Group(self.find(name, place, path, registry)?),
            };
            Some(Mention { position, place, target })
        };
        members.iter().filter_map(mention).collect()
    }

    fn find(
        &self,
        name: &Label,
        place: Place,
        path: impl FnOnce() -> String,
        registry: &Registry<'_>,
    ) -> Option<GroupIndex> {
        let found = self.by_name.get(name).copied();
        if found.is_none() && registry.is_whole() {
            let known = self.by_name.keys().map(Label::as_str);
            let suggestion = registry.notebook.suggestion(name.as_str(), known);
            let message = format!(
                "no [[group]] has name \"{name}\"{}",
                or_add(suggestion, self.unread, registry.notebook)
            );
            registry.notebook.mistake(place, path(), message);
        }
        found
    }

    /// The organisations of one entry.
    pub(super) fn each(&self, mention: &Mention) -> Vec<OrganisationIndex> {
        match mention.target {
            Target::Organisation(index) => vec![index],
            Target::Group(group) => {
                self.organisations.get(group).map(|set| set.iter().collect()).unwrap_or_default()
            }
        }
    }

    /// The organisations of all entries together.
    pub(super) fn all(&self, mentions: &[Mention]) -> Organisations {
        let mut all = Organisations::default();
        for mention in mentions {
            match mention.target {
                Target::Organisation(index) => all.insert(index),
                Target::Group(group) => {
                    if let Some(set) = self.organisations.get(group) {
                        all.join(set);
                    }
                }
            }
        }
        all
    }
}

/// Which group is within which.
struct Graph {
    nodes: Vec<Node>,
}

#[derive(Clone, Default)]
struct Node {
    organisations: Organisations,
    /// The groups that are members of this one.
    children: Vec<GroupIndex>,
    /// The groups that this one is a member of.
    parents: Vec<GroupIndex>,
    /// How many children are not resolved.
    waiting: usize,
    /// Whether the search for circles has been here.
    visited: bool,
}

impl Graph {
    fn new(records: &[GroupRecord], groups: &Groups, registry: &Registry<'_>) -> Self {
        let mut nodes = vec![Node::default(); records.len()];
        for (index, record) in records.iter().enumerate() {
            for mention in groups.mentions(record.spot, "members", &record.members, registry) {
                match mention.target {
                    Target::Organisation(organisation) => {
                        if let Some(node) = nodes.get_mut(index) {
                            node.organisations.insert(organisation);
                        }
                    }
                    Target::Group(child) => {
                        if let Some(node) = nodes.get_mut(index) {
                            node.children.push(child);
                            node.waiting += 1;
                        }
                        if let Some(node) = nodes.get_mut(child) {
                            node.parents.push(index);
                        }
                    }
                }
            }
        }
        Self { nodes }
    }

    /// Resolves inner groups before those around them; what waits for ever is in a circle. Without
    /// recursion, because operators may nest as deeply as they like.
    fn resolve(mut self, records: &[GroupRecord], registry: &Registry<'_>) -> Vec<Organisations> {
        let nodes = self.nodes.iter().enumerate();
        let mut ready: Vec<_> =
            nodes.filter(|(_, node)| node.waiting == 0).map(|(index, _)| index).collect();
        while let Some(index) = ready.pop() {
            let Some(node) = self.nodes.get_mut(index) else { continue };
            let (members, parents) =
                (node.organisations.clone(), std::mem::take(&mut node.parents));
            for parent in parents {
                let Some(node) = self.nodes.get_mut(parent) else { continue };
                node.organisations.join(&members);
                node.waiting -= 1;
                if node.waiting == 0 {
                    ready.push(parent);
                }
            }
        }
        for start in 0..self.nodes.len() {
            self.note_circle(start, records, registry);
        }
        self.nodes.into_iter().map(|node| node.organisations).collect()
    }

    /// Follows waiting groups from `start`; notes the circle when it comes by the same one twice.
    fn note_circle(&mut self, start: GroupIndex, records: &[GroupRecord], registry: &Registry<'_>) {
        let mut path = Vec::new();
        let mut next = Some(start);
        while let Some(index) = next {
            let Some(node) = self.nodes.get_mut(index).filter(|node| node.waiting > 0) else {
                return;
            };
            if node.visited {
                break;
            }
            node.visited = true;
            path.push(index);
            let children = node.children.clone();
            let waits = |child: &GroupIndex| self.nodes.get(*child).is_some_and(|n| n.waiting > 0);
            next = children.into_iter().find(waits);
        }
        let Some(first) = path.iter().position(|index| Some(*index) == next) else { return };
        let circle = path.get(first..).unwrap_or_default();
        let names: Vec<_> = circle
            .iter()
            .chain(circle.first())
            .filter_map(|index| records.get(*index)?.name.as_ref())
            .map(|name| name.value.to_string())
            .collect();
        if let Some(record) = circle.first().and_then(|index| records.get(*index)) {
            let names = names.join(" -> ");
            let message = format!("the group contains itself: {names}; take one step out");
            registry.notebook.mistake(record.spot.place, record.spot.key("members"), message);
        }
    }
}
