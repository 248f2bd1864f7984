//! What comes out: rows of a figure and its reference, as a table for people and as JSON.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::{Value, json};

use crate::Outcome;

/// What a ratio is to reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Goal {
    /// No less than this.
    AtLeast(f64),
    /// No more than this.
    AtMost(f64),
}

/// A number with its unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Figure {
    /// The number.
    pub value: f64,
    /// What it counts.
    pub unit: &'static str,
}

impl Figure {
    /// A number with its unit.
    #[must_use]
    pub fn new(value: f64, unit: &'static str) -> Self {
        Self { value, unit }
    }

    fn text(self) -> String {
        let Self { value, unit } = self;
        let digits = match value.abs() {
            v if v >= 100.0 => 0,
            v if v >= 10.0 => 1,
            v if v >= 1.0 => 2,
            _ => 3,
        };
        if unit.is_empty() {
            format!("{value:.digits$}")
        } else {
            format!("{value:.digits$} {unit}")
        }
    }
}

/// One line of the table.
#[derive(Clone, Debug)]
pub struct Row {
    /// The part of the table that it belongs to.
    pub part: &'static str,
    /// What was measured.
    pub axis: String,
    /// What came out.
    pub figure: Figure,
    /// What it was measured against, and what came out there.
    pub reference: Option<(String, Figure)>,
    /// The one by the other; not always of the two figures shown, see `note`.
    pub ratio: Option<f64>,
    /// What the ratio, or without one the figure, is to reach.
    pub goal: Option<Goal>,
    /// What is good to know about it.
    pub note: String,
}

impl Row {
    /// A figure by itself.
    #[must_use]
    pub fn alone(part: &'static str, axis: impl Into<String>, figure: Figure) -> Self {
        let (axis, note) = (axis.into(), String::new());
        Self { part, axis, figure, reference: None, ratio: None, goal: None, note }
    }

    /// A figure and its reference; the ratio is that of the two.
    #[must_use]
    pub fn against(
        part: &'static str,
        axis: impl Into<String>,
        figure: Figure,
        reference: impl Into<String>,
        other: Figure,
    ) -> Self {
        let ratio = Some(figure.value / other.value);
        Self {
            reference: Some((reference.into(), other)),
            ratio,
            ..Self::alone(part, axis, figure)
        }
    }

    /// Puts another ratio in, such as a median over rounds.
    #[must_use]
    pub fn ratio(self, ratio: f64) -> Self {
        Self { ratio: Some(ratio), ..self }
    }

    /// Says what is to be reached.
    #[must_use]
    pub fn goal(self, goal: Goal) -> Self {
        Self { goal: Some(goal), ..self }
    }

    /// Says more.
    #[must_use]
    pub fn note(self, note: impl Into<String>) -> Self {
        Self { note: note.into(), ..self }
    }

    /// Whether the goal is reached; `None` without one.
    #[must_use]
    pub fn reached(&self) -> Option<bool> {
        let value = self.ratio.unwrap_or(self.figure.value);
        self.goal.map(|goal| match goal {
            Goal::AtLeast(least) => value >= least,
            Goal::AtMost(most) => value <= most,
        })
    }

    fn goal_text(&self) -> String {
        let goal = match self.goal {
            Some(Goal::AtLeast(least)) => format!("≥ {least}"),
            Some(Goal::AtMost(most)) => format!("≤ {most}"),
            None => return String::new(),
        };
        match self.reached() {
            Some(true) => format!("{goal} ✓"),
            _ => format!("{goal} ✗"),
        }
    }

    fn json(&self) -> Value {
        let figure = |figure: Figure| json!({ "value": figure.value, "unit": figure.unit });
        let reference = self
            .reference
            .as_ref()
            .map(|(what, other)| json!({ "what": what, "figure": figure(*other) }));
        json!({
            "part": self.part,
            "axis": self.axis,
            "figure": figure(self.figure),
            "reference": reference,
            "ratio": self.ratio,
            "goal": self.goal.map(|goal| match goal {
                Goal::AtLeast(least) => json!({ "at_least": least }),
                Goal::AtMost(most) => json!({ "at_most": most }),
            }),
            "reached": self.reached(),
            "note": self.note,
        })
    }
}

/// How a cost grows with the size of the tree.
#[derive(Clone, Debug)]
pub struct Curve {
    /// What it is.
    pub name: &'static str,
    /// Nodes, and microseconds.
    pub points: Vec<(usize, f64)>,
}

/// Everything that a run measured.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The table.
    pub rows: Vec<Row>,
    /// The plot.
    pub curves: Vec<Curve>,
}

impl Report {
    /// Adds what one part measured.
    pub fn add(&mut self, part: Self) {
        self.rows.extend(part.rows);
        self.curves.extend(part.curves);
    }

    /// The table in Markdown.
    #[must_use]
    pub fn table(&self) -> String {
        let mut cells: Vec<[String; 5]> =
            vec![["measured", "figure", "reference", "ratio", "goal"].map(str::to_owned)];
        for row in &self.rows {
            let reference = match &row.reference {
                Some((what, figure)) => format!("{}: {what}", figure.text()),
                None => String::new(),
            };
            let note = if row.note.is_empty() { String::new() } else { format!(" ({})", row.note) };
            cells.push([
                format!("{}: {}{note}", row.part, row.axis),
                row.figure.text(),
                reference,
                row.ratio.map_or(String::new(), |ratio| format!("{ratio:.2}")),
                row.goal_text(),
            ]);
        }
        let width = |column: usize| {
            cells.iter().map(|row| row[column].chars().count()).max().unwrap_or(0).max(3)
        };
        let widths = [0, 1, 2, 3, 4].map(width);
        let mut text = String::new();
        for (index, row) in cells.iter().enumerate() {
            for (cell, width) in row.iter().zip(widths) {
                // Writing to a string cannot fail.
                _ = write!(text, "| {cell:width$} ");
            }
            text.push_str("|\n");
            if index == 0 {
                widths.iter().for_each(|width| _ = write!(text, "|{}", "-".repeat(width + 2)));
                text.push_str("|\n");
            }
        }
        text
    }

    /// Everything as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        let curves = self.curves.iter().map(|curve| {
            let points = curve.points.iter().map(|(n, us)| json!({ "nodes": n, "us": us }));
            json!({ "name": curve.name, "points": points.collect::<Vec<_>>() })
        });
        json!({
            "rows": self.rows.iter().map(Row::json).collect::<Vec<_>>(),
            "curves": curves.collect::<Vec<_>>(),
        })
    }

    /// Writes the JSON.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_json(&self, file: &Path) -> Outcome<()> {
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        Ok(std::fs::write(file, serde_json::to_string_pretty(&self.json())? + "\n")?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_goal_is_about_the_ratio_and_without_one_about_the_figure() {
        let row = Row::against("p", "a", Figure::new(3.0, "s"), "b", Figure::new(2.0, "s"));
        assert_eq!(row.ratio, Some(1.5));
        assert_eq!(row.clone().goal(Goal::AtMost(1.5)).reached(), Some(true));
        assert_eq!(row.clone().ratio(1.6).goal(Goal::AtMost(1.5)).reached(), Some(false));
        let alone = Row::alone("p", "a", Figure::new(3.0, "s")).goal(Goal::AtLeast(4.0));
        assert_eq!(alone.reached(), Some(false));
        assert_eq!(row.reached(), None);
    }

    #[test]
    fn the_table_shows_every_row() {
        let row = Row::against("p", "a", Figure::new(0.5, "s"), "b", Figure::new(250.0, "s"));
        let report = Report { rows: vec![row.note("why")], curves: Vec::new() };
        let table = report.table();
        assert!(table.contains("p: a (why)") && table.contains("0.500 s"), "{table}");
        assert!(table.contains("250 s: b"), "{table}");
    }
}
