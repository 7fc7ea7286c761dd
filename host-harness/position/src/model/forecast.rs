//! Assigned seats to the end of a contract: a straight line through the counts so far, with a band.

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};

/// How a pool stood at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Point {
    /// In milliseconds since 1970; RFC 3339 in JSON.
    #[serde(serialize_with = "instant")]
    pub at: i64,
    /// What was bought; none if not known or unlimited.
    pub purchased: Option<i64>,
    /// What was assigned.
    pub assigned: i64,
}

/// What the counts so far suggest for a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Forecast {
    /// The day.
    pub on: String,
    /// Assigned if the trend continues.
    pub expected: i64,
    /// The least and the most, twice the usual distance of the counts from the line away; the most
    /// is at least the most assigned so far.
    pub low: i64,
    /// See `low`.
    pub high: i64,
    /// Counts it rests on.
    pub points: usize,
    /// Days from the first count to the last.
    pub days: i64,
    /// Days from now until more is needed than was bought; none if it does not come to that.
    pub days_to_shortage: Option<i64>,
    /// Units to ask for, so that the most is covered.
    pub request: Option<i64>,
}

fn instant<S: Serializer>(at: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&crate::time::rfc3339(crate::time::from_ms(*at)))
}

const DAY_MS: f64 = 86_400_000.0;
/// A line through less says nothing.
const LEAST_POINTS: usize = 3;
const LEAST_DAYS: f64 = 14.0;

/// A forecast for `end`; `None` if there are too few counts, or they span too short a time.
pub fn forecast(points: &[Point], now: DateTime<Utc>, end: DateTime<Utc>) -> Option<Forecast> {
    let first = points.first()?;
    let day = |at: i64| (at - first.at) as f64 / DAY_MS;
    let last = points.last()?;
    let span = day(last.at);
    if points.len() < LEAST_POINTS || span < LEAST_DAYS || end <= now {
        return None;
    }
    let n = points.len() as f64;
    let (mx, my) = points
        .iter()
        .fold((0.0, 0.0), |(x, y), point| (x + day(point.at) / n, y + point.assigned as f64 / n));
    let (sxy, sxx) = points.iter().fold((0.0, 0.0), |(xy, xx), point| {
        let dx = day(point.at) - mx;
        (xy + dx * (point.assigned as f64 - my), xx + dx * dx)
    });
    let slope = if sxx > 0.0 { sxy / sxx } else { 0.0 };
    let line = |x: f64| my + slope * (x - mx);
    let squares: f64 =
        points.iter().map(|point| (point.assigned as f64 - line(day(point.at))).powi(2)).sum();
    let spread = (squares / (n - 2.0).max(1.0)).sqrt();
    // Farther away the slope's own error counts more.
    let at_end = day(end.timestamp_millis());
    let error = spread * (1.0 + 1.0 / n + (at_end - mx).powi(2) / sxx.max(1.0)).sqrt();
    let most = points.iter().map(|point| point.assigned).max().unwrap_or(0);
    let expected = line(at_end).round().max(0.0) as i64;
    let low = (line(at_end) - 2.0 * error).floor().max(0.0) as i64;
    let high = ((line(at_end) + 2.0 * error).ceil().max(0.0) as i64).max(most);
    let bought = last.purchased;
    let today = day(now.timestamp_millis());
    let days_to_shortage = bought.and_then(|bought| {
        let bought = bought as f64;
        if last.assigned as f64 > bought {
            return Some(0);
        }
        (slope > 0.0)
            .then(|| (bought - line(today)) / slope)
            .filter(|days| today + days <= at_end)
            .map(|days| days.max(0.0).ceil() as i64)
    });
    Some(Forecast {
        on: end.date_naive().to_string(),
        expected,
        low,
        high,
        points: points.len(),
        days: span as i64,
        days_to_shortage,
        request: bought.map(|bought| (high - bought).max(0)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::from_ms;

    const DAY: i64 = 86_400_000;

    fn point(day: i64, assigned: i64) -> Point {
        Point { at: day * DAY, purchased: Some(200), assigned }
    }

    #[test]
    fn steady_growth_goes_on_and_names_the_day_of_shortage() {
        let points: Vec<Point> = (0..=10).map(|week| point(week * 7, 100 + week * 7)).collect();
        let forecast = forecast(&points, from_ms(70 * DAY), from_ms(120 * DAY)).unwrap();
        assert_eq!((forecast.expected, forecast.low, forecast.high), (220, 220, 220));
        assert_eq!(forecast.days_to_shortage, Some(30));
        assert_eq!(forecast.request, Some(20));
    }

    #[test]
    fn scattered_counts_widen_the_band_and_few_counts_give_none() {
        let points: Vec<Point> =
            (0..=10).map(|week| point(week * 7, 100 + (week % 2) * 40)).collect();
        let wide = forecast(&points, from_ms(70 * DAY), from_ms(120 * DAY)).unwrap();
        assert!(wide.low < wide.expected && wide.high > 140, "{wide:?}");
        assert_eq!(forecast(&points[..2], from_ms(70 * DAY), from_ms(120 * DAY)), None);
        assert_eq!(forecast(&points, from_ms(70 * DAY), from_ms(70 * DAY)), None);
    }
}
