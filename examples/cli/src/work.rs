//! Threads and progress. The passes below own the threads; the library gives the same bits for every partition, so the number of
//! threads changes the time and nothing else.

use crate::failure::Result;
use indicatif::{ProgressBar, ProgressStyle};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Threads to use when the user does not say.
pub fn default_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Runs `step` on every item `0..count`, handed out in ascending order to threads with a state of their own. After a failure no new
/// item is begun; the failure of the lowest item is returned.
pub fn for_each<S>(
    threads: usize,
    count: usize,
    state: impl Fn() -> S + Sync,
    step: impl Fn(&mut S, usize) -> Result<()> + Sync,
) -> Result<()> {
    let next = AtomicUsize::new(0);
    let stop = AtomicBool::new(false);
    let first_failure = Mutex::new(None);
    let run = || {
        let mut state = state();
        while !stop.load(Relaxed) {
            let item = next.fetch_add(1, Relaxed);
            if item >= count {
                break;
            }
            if let Err(failure) = step(&mut state, item) {
                stop.store(true, Relaxed);
                let mut first = lock(&first_failure);
                if first.as_ref().is_none_or(|(earlier, _)| item < *earlier) {
                    *first = Some((item, failure));
                }
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.min(count) {
            scope.spawn(run);
        }
        run();
    });
    match first_failure.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some((_, failure)) => Err(failure),
        None => Ok(()),
    }
}

/// The value behind a mutex; a panic of another thread ends the run anyway.
pub fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many rows each of the parts of a range gets: at most `most`, and such that all threads have equally many parts.
pub fn part_rows(rows: usize, threads: usize, most: usize) -> usize {
    let parts = rows.div_ceil(most.max(1)).next_multiple_of(threads.max(1));
    rows.div_ceil(parts.max(1)).max(1)
}

/// A progress bar that appears on a terminal (standard error) once the work has taken a second.
pub struct Progress {
    label: &'static str,
    total: u64,
    done: AtomicU64,
    started: Instant,
    bar: OnceLock<ProgressBar>,
}

impl Progress {
    pub fn new(label: &'static str, total: u64) -> Self {
        Progress { label, total, done: AtomicU64::new(0), started: Instant::now(), bar: OnceLock::new() }
    }

    /// Counts work that is done.
    pub fn add(&self, amount: u64) {
        let done = self.done.fetch_add(amount, Relaxed) + amount;
        if self.started.elapsed() > Duration::from_secs(1) {
            self.bar.get_or_init(|| self.new_bar()).set_position(done);
        }
    }

    fn new_bar(&self) -> ProgressBar {
        // Draws to standard error, and nothing at all when that is no terminal.
        let bar = ProgressBar::new(self.total).with_message(self.label).with_elapsed(self.started.elapsed());
        match ProgressStyle::with_template("{msg} [{bar:40}] {percent} %, {eta} left") {
            Ok(style) => bar.with_style(style.progress_chars("=> ")),
            Err(_) => bar,
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.get() {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::fail;

    #[test]
    fn every_item_runs_once_on_any_number_of_threads() {
        for threads in 1..=9 {
            let hits: Vec<AtomicUsize> = (0..50).map(|_| AtomicUsize::new(0)).collect();
            let run = for_each(
                threads,
                hits.len(),
                || (),
                |(), i| {
                    hits[i].fetch_add(1, Relaxed);
                    Ok(())
                },
            );
            assert!(run.is_ok());
            assert!(hits.iter().all(|n| n.load(Relaxed) == 1), "{threads} threads");
        }
    }

    #[test]
    fn the_failure_of_the_lowest_item_is_reported() {
        for threads in 1..=9 {
            let run = for_each(threads, 50, || (), |(), i| if i >= 7 { fail(format!("item {i}")) } else { Ok(()) });
            assert_eq!(run.unwrap_err().to_string(), "item 7", "{threads} threads");
        }
    }

    #[test]
    fn parts_cover_the_rows_evenly() {
        for rows in 1..300 {
            for threads in 1..9 {
                for most in [1, 2, 7, 64, 1000] {
                    let part = part_rows(rows, threads, most);
                    assert!(
                        part >= 1 && part <= most && part <= rows.div_ceil(threads),
                        "{rows} rows, {threads} threads, {most} at most"
                    );
                }
            }
        }
    }
}
