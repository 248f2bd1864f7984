//! In which order a fresh appliance is filled.
//!
//! Bodies of a fresh appliance refer to built-in members, which may refer to others. Staging
//! them one by one takes each after those it refers to; beyond that the order is that of the
//! paths, so that it does not change when an endpoint far away does.

use std::collections::BTreeMap;

use config_tree::NodePath;

use crate::endpoint::{EndpointData, Template};

/// A body of a fresh appliance: by the place of its endpoint, and of the member in it.
pub(crate) type Place = (usize, Option<usize>);

/// What [`order`] found.
#[derive(Debug, Default)]
pub(crate) struct Order {
    pub(crate) places: Vec<Place>,
    /// Bodies that refer to themselves, by way of others or not.
    pub(crate) circles: Vec<NodePath>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Begun,
    Done,
}

/// All bodies of a fresh appliance, each after those it refers to.
pub(crate) fn order(endpoints: &[EndpointData]) -> Order {
    let places: BTreeMap<NodePath, Place> = endpoints
        .iter()
        .enumerate()
        .flat_map(|(at, endpoint)| {
            let default = endpoint.default.iter().map(move |_| (endpoint.path.clone(), (at, None)));
            let members = endpoint.members.iter().enumerate();
            default
                .chain(members.map(move |(n, (key, _))| (endpoint.path.join(key), (at, Some(n)))))
        })
        .collect();
    let mut order = Order::default();
    let mut marks = BTreeMap::new();
    // Not by path but by place: members stand in the order of their file.
    let mut roots: Vec<Place> = places.values().copied().collect();
    roots.sort_unstable();
    for root in roots {
        visit(endpoints, &places, root, &mut marks, &mut order);
    }
    order
}

// Depth first with a stack of our own: a long chain of members must not overflow the thread's own.
fn visit(
    endpoints: &[EndpointData],
    places: &BTreeMap<NodePath, Place>,
    root: Place,
    marks: &mut BTreeMap<Place, Mark>,
    order: &mut Order,
) {
    let mut stack = vec![(root, 0)];
    while let Some((place, next)) = stack.last_mut() {
        let (place, at) = (*place, *next);
        *next += 1;
        if at == 0 && marks.contains_key(&place) {
            stack.pop();
            continue;
        }
        marks.entry(place).or_insert(Mark::Begun);
        let Some((path, template)) = template(endpoints, place) else {
            stack.pop();
            continue;
        };
        match template.references.get(at).map(|reference| places.get(&reference.target)) {
            Some(Some(target)) => match marks.get(target) {
                None => stack.push((*target, 0)),
                Some(Mark::Begun) => order.circles.push(path),
                Some(Mark::Done) => {}
            },
            // A target that is not there is reported elsewhere.
            Some(None) => {}
            None => {
                marks.insert(place, Mark::Done);
                order.places.push(place);
                stack.pop();
            }
        }
    }
}

/// The body at a place with its path.
pub(crate) fn template(
    endpoints: &[EndpointData],
    (at, member): Place,
) -> Option<(NodePath, &Template)> {
    let endpoint = endpoints.get(at)?;
    match member {
        None => Some((endpoint.path.clone(), endpoint.default.as_ref()?)),
        Some(n) => {
            let (key, template) = endpoint.members.get(n)?;
            Some((endpoint.path.join(key), template))
        }
    }
}
