//! How many values a value may hold, told apart by the loop in which they are made.

/// The scan lets collections nest eight deep; a function's own loops begin one deeper.
const LEVELS: usize = 10;
/// How deep the parts of a value are told apart.
const PARTS: usize = 5;
/// How often all loops of one evaluation together go round before the engine's limit on running time
/// ends them.
const ROUNDS: u64 = 100_000;

/// Counts of values by the depth of the loop that makes them. What stood before a loop is repeated by
/// each of its rounds; what a round makes, it makes once; and what a loop inside a round has collected
/// took rounds of its own, of which there are only so many in all. A plain value counts as nothing
/// until it stands in a collection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Amount {
    /// Made by one round.
    made: [u64; LEVELS],
    /// Made by loops, over all rounds.
    looped: [u64; LEVELS],
}

/// A value as a whole, the largest value that stands in it, the largest in those, and so on; below the
/// last level everything is taken to be as large as there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Size([Amount; PARTS]);

impl Amount {
    fn made_at(depth: usize, count: u64) -> Self {
        let mut amount = Self::default();
        set(&mut amount.made, depth, count);
        amount
    }

    fn looped_at(depth: usize, count: u64) -> Self {
        let mut amount = Self::default();
        set(&mut amount.looped, depth, count);
        amount
    }

    pub(super) fn total(self) -> u64 {
        let all = self.made.iter().chain(&self.looped);
        all.fold(0, |total, count| total.saturating_add(*count))
    }

    fn zip(self, other: Self, join: impl Fn(u64, u64) -> u64) -> Self {
        let mut joined = self;
        let ours = joined.made.iter_mut().chain(&mut joined.looped);
        let theirs = other.made.iter().chain(&other.looped);
        ours.zip(theirs).for_each(|(ours, theirs)| *ours = join(*ours, *theirs));
        joined
    }

    fn plus(self, other: Self) -> Self {
        self.zip(other, u64::saturating_add)
    }

    fn max(self, other: Self) -> Self {
        self.zip(other, u64::max)
    }

    fn times(self, factor: u64) -> Self {
        self.zip(self, |count, _| count.saturating_mul(factor))
    }

    /// What a loop at `depth` collects.
    fn collected(self, depth: usize) -> Self {
        if self.total() == 0 {
            return Self::looped_at(depth, ROUNDS);
        }
        let mut count = 0_u64;
        for (level, (made, looped)) in self.made.iter().zip(&self.looped).enumerate() {
            let rounds = if level <= depth { ROUNDS } else { 1 };
            count = count.saturating_add(made.saturating_mul(ROUNDS));
            count = count.saturating_add(looped.saturating_mul(rounds));
        }
        Self::looped_at(depth, count)
    }

    /// As the value of a function that was called at `depth`, and made its own anew; rules that it read
    /// stay shared. What it was given may stand in it as often as it holds anything.
    fn called(self, given: Self, depth: usize) -> Self {
        let sum = |counts: &[u64]| counts.iter().fold(0_u64, |sum, n| sum.saturating_add(*n));
        let ([read, made @ ..], [read_looped, looped @ ..]) = (self.made, self.looped);
        let shared = Self::made_at(0, read.saturating_add(read_looped));
        let own = Self::made_at(depth, sum(&made)).plus(Self::looped_at(depth, sum(&looped)));
        shared.plus(own).plus(given.times(self.total().max(1)))
    }
}

fn set(levels: &mut [u64; LEVELS], depth: usize, count: u64) {
    if let Some(level) = levels.get_mut(depth.min(LEVELS - 1)) {
        *level = count;
    }
}

impl Size {
    pub(super) fn whole(self) -> Amount {
        let [whole, ..] = self.0;
        whole
    }

    /// A value of so much, with these parts.
    fn holding(whole: Amount, parts: Self) -> Self {
        let mut size = parts;
        size.0.rotate_right(1);
        let [first, ..] = &mut size.0;
        *first = whole;
        size
    }

    fn zip(self, other: Self, join: impl Fn(Amount, Amount) -> Amount) -> Self {
        let mut joined = self;
        joined.0.iter_mut().zip(other.0).for_each(|(ours, theirs)| *ours = join(*ours, theirs));
        joined
    }

    pub(super) fn max(self, other: Self) -> Self {
        self.zip(other, Amount::max)
    }

    /// A collection written out at a depth.
    pub(super) fn of_items(items: &[Self], depth: usize) -> Self {
        let whole = items.iter().fold(Amount::default(), |sum, item| {
            let is_plain = item.whole().total() == 0;
            sum.plus(if is_plain { Amount::made_at(depth, 1) } else { item.whole() })
        });
        Self::holding(whole, items.iter().copied().fold(Self::default(), Self::max))
    }

    /// What may be made of several: all of them together, on the same level.
    pub(super) fn together(several: &[Self]) -> Self {
        let whole = several.iter().fold(Amount::default(), |sum, one| sum.plus(one.whole()));
        let mut size = several.iter().copied().fold(Self::default(), Self::max);
        let [first, ..] = &mut size.0;
        *first = whole;
        size
    }

    /// What an index or a loop takes out of it.
    pub(super) fn element(self) -> Self {
        let mut size = self;
        size.0.rotate_left(1);
        let [.., before, last] = &mut size.0;
        *last = *before;
        size
    }

    /// What a loop at `depth` collects of these terms.
    pub(super) fn collected(terms: &[Self], depth: usize) -> Self {
        let term = Self::together(terms);
        Self::holding(term.whole().collected(depth), term)
    }

    /// The value of a rule: made once, and shared by all who read it.
    pub(super) fn shared(self) -> Self {
        self.zip(self, |amount, _| Amount::made_at(0, amount.total()))
    }

    /// What a call at `depth` gives of a function whose own values stand at depth 1 and deeper.
    pub(super) fn called(self, arguments: Self, depth: usize) -> Self {
        self.zip(self, |own, _| own.called(arguments.whole(), depth))
    }
}
