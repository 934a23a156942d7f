//! Interleaved measurement. On a shared machine the same loop may take twice as long a second later, so nothing is measured alone:
//! contenders take turns of a few milliseconds, each turn is set against the reference's turns just before and after it, and the
//! median of those ratios is what is reported. Time is that of the thread, so what other programs take of the core does not count.

use std::time::Duration;

/// Something to measure: what one call does (operations or bytes), and the call.
pub struct Contender<'a> {
    pub name: String,
    work: f64,
    run: Box<dyn FnMut() + 'a>,
    calls: u32,
}

/// Medians over the rounds.
#[derive(Clone, Debug)]
pub struct Measured {
    pub name: String,
    /// Work per second.
    pub rate: f64,
    /// Seconds per call.
    pub seconds: f64,
    /// Rate over the reference's rate in the same round.
    pub ratio: f64,
}

impl<'a> Contender<'a> {
    pub fn new(name: impl Into<String>, work: f64, run: impl FnMut() + 'a) -> Self {
        Contender { name: name.into(), work, run: Box::new(run), calls: 1 }
    }

    /// Calls per turn so that a turn lasts about `turn`; found with more and more calls, as the clock costs more than a short one.
    fn calibrate(&mut self, turn: Duration) {
        let turn = turn.as_secs_f64();
        self.calls = 1;
        self.turn();
        while self.calls < 10_000_000 {
            let lasted = self.turn() * f64::from(self.calls);
            if lasted > turn / 8.0 {
                self.calls = (turn / lasted * f64::from(self.calls)).clamp(1.0, 1e7) as u32;
                break;
            }
            self.calls *= 8;
        }
    }

    /// Seconds per call in one turn.
    fn turn(&mut self) -> f64 {
        let start = seconds();
        for _ in 0..self.calls {
            (self.run)();
        }
        (seconds() - start) / f64::from(self.calls)
    }
}

/// Measures all contenders in turns against the first, which is the reference; the reference has a turn before and after each.
pub fn interleave(rounds: usize, turn: Duration, contenders: &mut [Contender]) -> Vec<Measured> {
    contenders.iter_mut().for_each(|c| c.calibrate(turn));
    let Some((reference, others)) = contenders.split_first_mut() else { return Vec::new() };
    let mut reference_times = Vec::new();
    let mut times = vec![Vec::new(); others.len()];
    let mut ratios = vec![Vec::new(); others.len()];
    let mut before = reference.turn();
    for _ in 0..rounds {
        for (i, other) in others.iter_mut().enumerate() {
            let time = other.turn();
            let after = reference.turn();
            let reference_rate = reference.work / ((before + after) / 2.0);
            times[i].push(time);
            ratios[i].push(other.work / time / reference_rate);
            reference_times.push(after);
            before = after;
        }
    }
    let measured = |c: &Contender, times: Vec<f64>, ratios: Vec<f64>| {
        let seconds = median(times);
        Measured { name: c.name.clone(), rate: c.work / seconds, seconds, ratio: median(ratios) }
    };
    let mut all = vec![measured(reference, reference_times, vec![1.0])];
    all.extend(others.iter().zip(times).zip(ratios).map(|((c, times), ratios)| measured(c, times, ratios)));
    all
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Seconds that this thread has run.
#[cfg(unix)]
fn seconds() -> f64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes one timespec.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    assert_eq!(status, 0, "the thread has a clock");
    time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
}

/// Seconds on the wall, where the thread has no clock of its own.
#[cfg(not(unix))]
fn seconds() -> f64 {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START.get_or_init(std::time::Instant::now).elapsed().as_secs_f64()
}

/// Keeps the process on one core, where the system allows it.
#[cfg(target_os = "linux")]
pub fn pin() {
    // SAFETY: a zeroed CPU set is a valid empty set, and the calls only read and write it.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        let core = libc::sched_getcpu().max(0) as usize;
        libc::CPU_SET(core, &mut set);
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set);
    }
}

/// No pinning on other systems.
#[cfg(not(target_os = "linux"))]
pub fn pin() {}
