//! Numbers that look random and repeat: an input is told by its seed and its number.

/// xorshift64* over a state that is never zero.
#[derive(Debug)]
pub(super) struct Random(u64);

impl Random {
    /// The source for one input, which can be made again without those before it.
    pub(super) fn of(seed: u64, number: usize) -> Self {
        let number = u64::try_from(number).unwrap_or(u64::MAX);
        // The steps of SplitMix64 spread neighbouring seeds and numbers over all bits.
        let mut mixed =
            seed.wrapping_add(number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Self((mixed ^ (mixed >> 31)).max(1))
    }

    /// A number below `limit`, or 0 where there is none.
    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let high = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(high).unwrap_or(0).checked_rem(limit).unwrap_or(0)
    }

    /// True once in `times`.
    pub(super) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(super) fn one<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        of.get(self.below(of.len()))
    }

    /// One of a few words.
    pub(super) fn word(&mut self, of: &[&'static str]) -> &'static str {
        self.one(of).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    #[test]
    fn an_input_has_the_same_numbers_each_time_and_its_neighbours_have_others() {
        let numbers = |seed, number| {
            let mut random = Random::of(seed, number);
            [(); 8].map(|()| random.below(1000))
        };
        assert_eq!(numbers(7, 3), numbers(7, 3));
        assert_ne!(numbers(7, 3), numbers(7, 4));
        assert_ne!(numbers(7, 3), numbers(8, 3));
        assert_ne!(numbers(0, 0), [0; 8]);
        assert_eq!(Random::of(1, 1).below(0), 0);
    }

    #[test]
    fn every_number_below_the_limit_comes_up() {
        let mut seen = [0; 7];
        let mut random = Random::of(1, 1);
        (0..700).for_each(|_| seen[random.below(7)] += 1);
        assert!(seen.iter().all(|count| *count > 50), "{seen:?}");
    }
}
