//! Clocks and samples. The one place in this crate that looks at the clock.

use std::time::{Duration, Instant};

/// The present moment.
#[expect(clippy::disallowed_methods, reason = "measuring is what this crate is for")]
#[must_use]
pub fn now() -> Instant {
    Instant::now()
}

/// The time that `work` takes, in nanoseconds, and what it gives.
pub fn timed<T>(work: impl FnOnce() -> T) -> (u64, T) {
    let started = now();
    let done = work();
    (nanos(started.elapsed()), done)
}

/// Nanoseconds as a number.
#[must_use]
pub fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Durations in nanoseconds.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    values: Vec<u64>,
}

impl Samples {
    /// Adds one.
    pub fn push(&mut self, nanos: u64) {
        self.values.push(nanos);
    }

    /// Adds all of another set.
    pub fn extend(&mut self, other: &Self) {
        self.values.extend_from_slice(&other.values);
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The value below which this share of the samples lies, in microseconds.
    #[must_use]
    pub fn quantile_us(&self, share: f64) -> f64 {
        let mut sorted = self.values.clone();
        sorted.sort_unstable();
        let last = sorted.len().saturating_sub(1);
        let place = (last as f64 * share).round() as usize;
        sorted.get(place).map_or(f64::NAN, |nanos| *nanos as f64 / 1000.0)
    }

    /// The median in microseconds.
    #[must_use]
    pub fn p50_us(&self) -> f64 {
        self.quantile_us(0.5)
    }
}

/// The middle one of some figures; the mean of the middle two of an even number.
#[must_use]
pub fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => sorted[n / 2],
        n => (sorted[n / 2 - 1] + sorted[n / 2]) / 2.0,
    }
}

/// The largest of some figures.
#[must_use]
pub fn most(figures: &[f64]) -> f64 {
    figures.iter().copied().fold(f64::NAN, f64::max)
}

/// The smallest of some figures.
#[must_use]
pub fn least(figures: &[f64]) -> f64 {
    figures.iter().copied().fold(f64::NAN, f64::min)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_of_odd_and_even_numbers() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn quantiles_take_the_nearest_sample() {
        let mut samples = Samples::default();
        (1..=101).for_each(|value| samples.push(value * 1000));
        assert_eq!(samples.p50_us(), 51.0);
        assert_eq!(samples.quantile_us(0.99), 100.0);
        assert_eq!((most(&[1.0, 3.0]), least(&[1.0, 3.0])), (3.0, 1.0));
    }
}
