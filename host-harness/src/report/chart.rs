//! Charts as SVG, drawn by `plotters`: no script, no font file, readable in light and dark.

use plotters::prelude::*;
use position::grouped;
use position::model::{License, Unit};
use position::money::Point;

use crate::error::HostError;
use crate::redact;
use crate::time::from_ms;

/// The classes of seats in the order they are drawn, with the colours of the page's legend.
pub(crate) const CLASSES: [(&str, RGBColor); 7] = [
    ("active", RGBColor(0x2e, 0x8b, 0x57)),
    ("unknown", RGBColor(0x8a, 0x8f, 0x98)),
    ("unseen", RGBColor(0x6b, 0x4f, 0x8a)),
    ("machine only", RGBColor(0x3b, 0x7d, 0xd8)),
    ("never used", RGBColor(0xc2, 0x41, 0x0c)),
    ("inactive", RGBColor(0xd9, 0x92, 0x1e)),
    ("not assigned", RGBColor(0xc9, 0xcd, 0xd3)),
];

const WIDTH: u32 = 900;
const ROW: u32 = 34;

/// Seats of each pool by class, as one bar for each pool; none if there is nothing to draw.
pub(crate) fn seats(licenses: &[&License]) -> Result<Option<String>, HostError> {
    let rows: Vec<(&License, [i64; 7])> = licenses
        .iter()
        .filter_map(|license| {
            let available = license.available.unwrap_or(0).max(0);
            let bar = [
                license.active?,
                license.unknown?,
                license.unseen.unwrap_or(0),
                license.machine_only?,
                license.never?,
                license.inactive?,
                if license.unit == Unit::Seats { available } else { 0 },
            ];
            Some((*license, bar)).filter(|(_, bar)| bar[..6].iter().sum::<i64>() > 0)
        })
        .collect();
    let largest = rows.iter().map(|(_, bar)| bar.iter().sum::<i64>()).max().unwrap_or(0);
    if largest == 0 {
        return Ok(None);
    }
    let mut svg = String::new();
    {
        let height = ROW * rows.len() as u32 + 10;
        let root = SVGBackend::with_string(&mut svg, (WIDTH, height)).into_drawing_area();
        let (label, room) = (230.0, f64::from(WIDTH) - 330.0);
        for (at, (license, bar)) in rows.iter().enumerate() {
            let top = (at as u32 * ROW) as i32 + 5;
            let name = shortened(&redact::shown(&license.name), 30);
            root.draw(&Text::new(name, (0, top + 6), ("sans-serif", 15))).map_err(failed)?;
            let mut from = label;
            for (number, (_, colour)) in bar.iter().zip(CLASSES) {
                let to = from + *number as f64 / largest as f64 * room;
                if *number > 0 {
                    let corners = [(from as i32, top), (to.ceil() as i32, top + 22)];
                    root.draw(&Rectangle::new(corners, colour.filled())).map_err(failed)?;
                }
                from = to;
            }
            let sum = grouped(bar.iter().sum());
            let end = (from.ceil() as i32 + 6, top + 6);
            root.draw(&Text::new(format!("{sum} seats"), end, ("sans-serif", 15)))
                .map_err(failed)?;
        }
        root.present().map_err(failed)?;
    }
    Ok(Some(inline(&svg)))
}

/// Assigned and purchased over time; `None` for fewer than two counts.
pub(crate) fn trend(points: &[Point]) -> Result<Option<String>, HostError> {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return Ok(None) };
    if first.at == last.at {
        return Ok(None);
    }
    let most = points
        .iter()
        .map(|point| point.assigned.max(point.purchased.unwrap_or(0)))
        .max()
        .unwrap_or(0)
        .max(1);
    let mut svg = String::new();
    {
        let root = SVGBackend::with_string(&mut svg, (WIDTH, 220)).into_drawing_area();
        let mut chart = ChartBuilder::on(&root)
            .margin(8)
            .x_label_area_size(28)
            .y_label_area_size(70)
            .build_cartesian_2d(first.at..last.at, 0..most + most / 10 + 1)
            .map_err(failed)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .x_labels(6)
            .y_labels(5)
            .label_style(("sans-serif", 14))
            .x_label_formatter(&|at| from_ms(*at).date_naive().to_string())
            .y_label_formatter(&|number| grouped(*number))
            .draw()
            .map_err(failed)?;
        let assigned = points.iter().map(|point| (point.at, point.assigned));
        chart
            .draw_series(LineSeries::new(assigned, CLASSES[0].1.stroke_width(3)))
            .map_err(failed)?;
        let bought = points.iter().filter_map(|point| Some((point.at, point.purchased?)));
        chart
            .draw_series(LineSeries::new(bought.clone(), CLASSES[3].1.stroke_width(2)))
            .map_err(failed)?;
        // A single count makes no line.
        let dots = bought.map(|point| Circle::new(point, 3, CLASSES[3].1.filled()));
        chart.draw_series(dots).map_err(failed)?;
        root.present().map_err(failed)?;
    }
    Ok(Some(inline(&svg)))
}

/// The drawing as part of a page: black becomes the page's own ink, white its paper.
fn inline(svg: &str) -> String {
    let at = svg.find("<svg").unwrap_or(0);
    svg[at..]
        .replacen("<svg ", "<svg aria-hidden=\"true\" focusable=\"false\" ", 1)
        .replace("\"#000000\"", "\"currentColor\"")
}

fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['\u{2026}']).collect()
}

fn failed(error: impl std::fmt::Display) -> HostError {
    HostError::failed(format_args!("a chart cannot be drawn: {error}"))
}
