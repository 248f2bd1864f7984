//! The plot of cost against size, as an SVG file written by hand.

use std::fmt::Write as _;

use crate::report::Curve;

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 420.0;
const LEFT: f64 = 60.0;
const RIGHT: f64 = 250.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 50.0;
const COLOURS: [&str; 6] = ["#0b6e4f", "#c8553d", "#33658a", "#8d6a9f", "#b08900", "#444444"];

/// Each curve relative to its first point, over the number of nodes on a logarithmic axis.
#[must_use]
pub fn svg(curves: &[Curve]) -> String {
    let sizes = curves.iter().flat_map(|curve| curve.points.iter().map(|(nodes, _)| *nodes as f64));
    let (least, most) = sizes.fold((f64::MAX, 1.0_f64), |(a, b), n| (a.min(n), b.max(n)));
    let relative = |curve: &Curve| -> Vec<(f64, f64)> {
        let first = curve.points.first().map_or(1.0, |(_, us)| *us);
        curve.points.iter().map(|(nodes, us)| (*nodes as f64, us / first)).collect()
    };
    let highest = curves.iter().flat_map(relative).map(|(_, y)| y).fold(2.0_f64, f64::max).ceil();
    let x = |nodes: f64| {
        let share = (nodes.ln() - least.ln()) / (most.ln() - least.ln()).max(1e-9);
        LEFT + share * (WIDTH - LEFT - RIGHT)
    };
    let y = |times: f64| HEIGHT - BOTTOM - times / highest * (HEIGHT - TOP - BOTTOM);

    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"white\"/>\n\
         <text x=\"{LEFT}\" y=\"22\" font-size=\"14\">Median cost by the number of nodes, \
         relative to the smallest tree</text>\n"
    );
    let step = (highest / 8.0).ceil().max(0.5);
    let mut times = 0.0;
    while times <= highest {
        let at = y(times);
        // Writing to a string cannot fail.
        _ = writeln!(
            text,
            "<line x1=\"{LEFT}\" x2=\"{}\" y1=\"{at:.1}\" y2=\"{at:.1}\" stroke=\"#ddd\"/>\
             <text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{times}×</text>",
            WIDTH - RIGHT,
            LEFT - 8.0,
            at + 4.0
        );
        times += step;
    }
    let mut decade = 10_f64.powf(least.log10().ceil());
    while decade <= most * 1.001 {
        _ = writeln!(
            text,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{}</text>",
            x(decade),
            HEIGHT - BOTTOM + 20.0,
            grouped(decade as usize)
        );
        decade *= 10.0;
    }
    for (index, curve) in curves.iter().enumerate() {
        let colour = COLOURS[index % COLOURS.len()];
        let points = relative(curve);
        let line: Vec<String> =
            points.iter().map(|(n, times)| format!("{:.1},{:.1}", x(*n), y(*times))).collect();
        _ = writeln!(
            text,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            line.join(" ")
        );
        for (n, times) in &points {
            _ = writeln!(
                text,
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{colour}\"/>",
                x(*n),
                y(*times)
            );
        }
        let (first, last) = (curve.points.first(), curve.points.last());
        let range = match (first, last) {
            (Some((_, first)), Some((_, last))) => format!("{first:.1} to {last:.1} µs"),
            _ => String::new(),
        };
        let (at, place) = (TOP + 20.0 + 44.0 * index as f64, WIDTH - RIGHT + 16.0);
        _ = writeln!(
            text,
            "<text x=\"{place}\" y=\"{at}\" fill=\"{colour}\">{}</text>\
             <text x=\"{place}\" y=\"{}\" fill=\"#666\">{range}</text>",
            curve.name,
            at + 16.0
        );
    }
    text.push_str("</svg>\n");
    text
}

fn grouped(number: usize) -> String {
    match number {
        n if n >= 1_000_000 => format!("{} M", n / 1_000_000),
        n if n >= 10_000 => format!("{} k", n / 1000),
        n => n.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_curve_is_drawn() {
        let curves = [
            Curve { name: "one", points: vec![(100, 10.0), (1_000_000, 12.0)] },
            Curve { name: "two", points: vec![(100, 1.0), (1_000_000, 3.0)] },
        ];
        let text = svg(&curves);
        assert_eq!(text.matches("<polyline").count(), 2);
        assert!(text.contains(">two</text>") && text.contains("1 M") && text.contains("3×"));
    }
}
