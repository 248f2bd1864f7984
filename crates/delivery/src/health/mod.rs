//! The health of the machine: figures, limits, and when somebody is to hear of it.

mod probe;

use serde::{Deserialize, Serialize};

use crate::configuration::HealthLimits;
use crate::event::{Event, EventKind};

pub use probe::{MachineProbe, Probe};

/// The number of measurements in a row that must agree before they count.
const IN_A_ROW: u32 = 2;
/// A figure is well again when it is this much below its limit, as a part of the limit.
const MARGIN: f64 = 0.05;

/// What was measured; `None` where it cannot be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Figures {
    /// Processor time in use since the last measurement, in percent.
    pub cpu_percent: Option<f64>,
    /// The disk of the data directory in use, in percent.
    pub disk_percent: Option<f64>,
    /// The load over one minute.
    pub load1: Option<f64>,
    /// The load over fifteen minutes.
    pub load15: Option<f64>,
    /// The load over five minutes.
    pub load5: Option<f64>,
    /// Memory in use, in percent.
    pub memory_percent: Option<f64>,
    /// Swap in use, in percent.
    pub swap_percent: Option<f64>,
}

impl Figures {
    /// The names and values, for metrics.
    #[must_use]
    pub fn named(&self) -> [(&'static str, Option<f64>); 7] {
        [
            ("cpu_percent", self.cpu_percent),
            ("disk_percent", self.disk_percent),
            ("load1", self.load1),
            ("load15", self.load15),
            ("load5", self.load5),
            ("memory_percent", self.memory_percent),
            ("swap_percent", self.swap_percent),
        ]
    }

    /// These figures, where they are there, in place of others.
    #[must_use]
    pub fn over(&self, machine: &Self) -> Self {
        Self {
            cpu_percent: self.cpu_percent.or(machine.cpu_percent),
            disk_percent: self.disk_percent.or(machine.disk_percent),
            load1: self.load1.or(machine.load1),
            load15: self.load15.or(machine.load15),
            load5: self.load5.or(machine.load5),
            memory_percent: self.memory_percent.or(machine.memory_percent),
            swap_percent: self.swap_percent.or(machine.swap_percent),
        }
    }
}

/// What is watched: its name, its name for people, its unit, its figure, its limit.
type Watched = (&'static str, &'static str, &'static str, Option<f64>, Option<f64>);

fn watched(figures: &Figures, limits: &HealthLimits) -> [Watched; 6] {
    [
        ("disk", "disk utilization", " %", figures.disk_percent, limits.disk),
        ("load1", "load over one minute", "", figures.load1, limits.load1),
        ("load15", "load over fifteen minutes", "", figures.load15, limits.load15),
        ("load5", "load over five minutes", "", figures.load5, limits.load5),
        ("memory", "memory utilization", " %", figures.memory_percent, limits.memory),
        ("swap", "swap utilization", " %", figures.swap_percent, limits.swap),
    ]
}

/// What is known of one figure.
#[derive(Clone, Copy, Default)]
struct Condition {
    raised: bool,
    /// Measurements in a row that say otherwise.
    against: u32,
}

/// Follows figures over time.
#[derive(Default)]
pub(crate) struct Watch([Condition; 6]);

impl Watch {
    /// Takes in a measurement; what is to be said of it.
    pub(crate) fn measured(
        &mut self,
        figures: &Figures,
        limits: &HealthLimits,
        now: i64,
    ) -> Vec<Event> {
        let mut events = Vec::new();
        for (condition, watched) in self.0.iter_mut().zip(watched(figures, limits)) {
            let (name, words, unit, figure, limit) = watched;
            // What is not watched any more is forgotten, and begins as well.
            let (Some(figure), Some(limit)) = (figure, limit) else {
                *condition = Condition::default();
                continue;
            };
            let otherwise = match condition.raised {
                false => figure > limit,
                true => figure <= limit - limit * MARGIN,
            };
            condition.against = if otherwise { condition.against + 1 } else { 0 };
            if condition.against < IN_A_ROW {
                continue;
            }
            *condition = Condition { raised: !condition.raised, against: 0 };
            let (kind, text) = match condition.raised {
                true => (
                    EventKind::HealthLimit,
                    format!("The {words} is {figure:.1}{unit}, above its limit of {limit}{unit}"),
                ),
                false => (
                    EventKind::HealthRecovered,
                    format!(
                        "The {words} is {figure:.1}{unit}, below its limit of {limit}{unit} again"
                    ),
                ),
            };
            let event = Event::new(now, kind, text).with("figure", name);
            events.push(event.with("measured", format!("{figure:.1}")).with("limit", limit));
        }
        events
    }

    /// The names of the figures above their limits.
    pub(crate) fn raised(&self) -> Vec<&'static str> {
        let names = watched(&Figures::default(), &HealthLimits::default()).map(|one| one.0);
        let raised = self.0.iter().zip(names).filter(|(condition, _)| condition.raised);
        raised.map(|(_, name)| name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(figures: &[f64], limit: Option<f64>) -> Vec<(usize, EventKind)> {
        let limits = HealthLimits { disk: limit, ..HealthLimits::default() };
        let mut watch = Watch::default();
        let mut seen = Vec::new();
        for (step, figure) in figures.iter().enumerate() {
            let figures = Figures { disk_percent: Some(*figure), ..Figures::default() };
            let events = watch.measured(&figures, &limits, 0);
            seen.extend(events.iter().map(|event| (step, event.kind)));
        }
        seen
    }

    #[test]
    fn a_limit_is_crossed_once_and_left_once() {
        use EventKind::{HealthLimit, HealthRecovered};
        let up_and_down = [70.0, 85.0, 90.0, 91.0, 79.0, 75.0, 74.0, 60.0];
        assert_eq!(run(&up_and_down, Some(80.0)), [(2, HealthLimit), (6, HealthRecovered)]);
        // Around the limit, and with a single peak, nothing flaps.
        assert_eq!(run(&[81.0, 79.0, 81.0, 79.0, 99.0, 10.0], Some(80.0)), []);
        let around = [81.0, 81.0, 79.0, 81.0, 77.0, 79.0, 81.0];
        assert_eq!(run(&around, Some(80.0)), [(1, HealthLimit)]);
        assert_eq!(run(&[100.0; 5], None), []);
        // At the limit is not above it, and a limit of 0 can be left.
        assert_eq!(run(&[80.0; 5], Some(80.0)), []);
        assert_eq!(run(&[1.0, 1.0, 0.0, 0.0], Some(0.0)), [(1, HealthLimit), (3, HealthRecovered)]);
    }

    #[test]
    fn what_is_given_stands_for_what_is_measured() {
        let machine = Figures { load1: Some(0.5), disk_percent: Some(10.0), ..Figures::default() };
        let given = Figures { disk_percent: Some(99.0), ..Figures::default() };
        let shown = given.over(&machine);
        assert_eq!((shown.load1, shown.disk_percent), (Some(0.5), Some(99.0)));
    }
}
