//! Which things belong together, as it turns out bit by bit.

/// Sets that are joined: each has a root that tells it from the others.
#[derive(Debug, Default)]
pub(crate) struct Union(Vec<u32>);

impl Union {
    pub(crate) fn new(size: usize) -> Self {
        let mut union = Self::default();
        for _ in 0..size {
            union.add();
        }
        union
    }

    /// Adds a set of one and gives its place.
    pub(crate) fn add(&mut self) -> usize {
        let at = self.0.len();
        self.0.push(u32::try_from(at).unwrap_or(u32::MAX));
        at
    }

    pub(crate) fn root(&mut self, mut at: usize) -> usize {
        while self.0[at] as usize != at {
            // Halve the way for the next one.
            self.0[at] = self.0[self.0[at] as usize];
            at = self.0[at] as usize;
        }
        at
    }

    /// Joins two sets; the lower root stays.
    pub(crate) fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.root(one), self.root(other));
        let (low, high) = (one.min(other), one.max(other));
        self.0[high] = self.0[low];
    }
}
