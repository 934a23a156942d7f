//! Whether retrieval helped: recall and hubness.

use nnn::Hit;

/// Recall at some depths, in percent: the share of queries whose answer is among their first hits.
pub fn recall<'a, const N: usize>(hits: impl Iterator<Item = &'a [Hit]>, answers: &[u32], depths: [usize; N]) -> [f64; N] {
    let mut counts = [0usize; N];
    for (hits, &answer) in hits.zip(answers) {
        let Some(place) = hits.iter().position(|hit| hit.id == answer) else { continue };
        for (count, depth) in counts.iter_mut().zip(depths) {
            *count += usize::from(place < depth);
        }
    }
    counts.map(|count| 100.0 * count as f64 / answers.len() as f64)
}

/// The k-occurrence N_k of each gallery row: how many queries have it among their first `k` hits.
pub fn occurrences<'a>(hits: impl Iterator<Item = &'a [Hit]>, k: usize, rows: usize) -> Vec<u32> {
    let mut counts = vec![0; rows];
    for hit in hits.flat_map(|hits| hits.iter().take(k)) {
        counts[hit.id as usize] += 1;
    }
    counts
}

/// Hubness of a k-occurrence distribution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hubness {
    /// Third standardised moment (of the population): 0 for a symmetric distribution, large when a few rows are hubs.
    pub skewness: f64,
    /// Occurrences of the largest hub.
    pub max: u32,
    /// Share of rows that no query retrieves.
    pub never: f64,
}

impl Hubness {
    pub fn of(occurrences: &[u32]) -> Self {
        let n = occurrences.len() as f64;
        let mean = occurrences.iter().map(|&x| f64::from(x)).sum::<f64>() / n;
        let moment = |power| occurrences.iter().map(|&x| (f64::from(x) - mean).powi(power)).sum::<f64>() / n;
        let deviation = moment(2).sqrt();
        Hubness {
            skewness: if deviation > 0.0 { moment(3) / deviation.powi(3) } else { 0.0 },
            max: occurrences.iter().copied().max().unwrap_or(0),
            never: occurrences.iter().filter(|&&x| x == 0).count() as f64 / n,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hits(ids: &[u32]) -> Vec<Hit> {
        ids.iter().map(|&id| Hit { score: 0.0, id }).collect()
    }

    #[test]
    fn recall_counts_answers_up_to_the_depth() {
        let lists = [hits(&[3, 1, 2]), hits(&[0, 1, 2]), hits(&[2]), hits(&[])];
        let lists = || lists.iter().map(Vec::as_slice);
        assert_eq!(recall(lists(), &[3, 2, 9, 0], [1, 2, 3]), [25.0, 25.0, 50.0]);
        assert_eq!(occurrences(lists(), 2, 4), [1, 2, 1, 1]);
    }

    #[test]
    fn hubness_of_a_known_distribution() {
        // Deviations from the mean 1: -1 -1 -1 3; second moment 3, third 6.
        let hubness = Hubness::of(&[0, 0, 0, 4]);
        assert!((hubness.skewness - 6.0 / 3f64.powf(1.5)).abs() < 1e-12);
        assert_eq!((hubness.max, hubness.never), (4, 0.75));
        assert_eq!(Hubness::of(&[2, 2, 2]).skewness, 0.0);
    }
}
