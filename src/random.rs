//! The one stream of pseudorandom numbers: splitmix64 (Steele, Lea and Flood, OOPSLA 2014). The same seed, the same numbers everywhere.
#![forbid(unsafe_code)]

/// What the state moves by from one number to the next.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Random(seed)
    }

    /// The stream of a seed from its number `at` on.
    pub(crate) fn at(seed: u64, at: u64) -> Self {
        Random(seed.wrapping_add(STEP.wrapping_mul(at)))
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(STEP);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }

    /// In 0..n, n > 0: each within one part in 2^32 of equally likely for n up to 2^32.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        ((u128::from(self.next()) * n as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    /// The first numbers of the reference implementation for seed 1234567.
    #[test]
    fn the_stream_is_splitmix64() {
        let expected = [6457827717110365317, 3203168211198807973, 9817491932198370423, 4593380528125082431, 16408922859458223821];
        let mut random = Random::new(1234567);
        for number in expected {
            assert_eq!(random.next(), number);
        }
        assert_eq!(Random::at(1234567, 3).next(), expected[3]);
        assert!((0..1000).all(|_| random.below(7) < 7));
    }
}
