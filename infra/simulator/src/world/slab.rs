//! Invocations that are under way, by number; numbers are used again.

/// Values by number.
pub struct Slab<T> {
    values: Vec<T>,
    free: Vec<usize>,
}

impl<T> Default for Slab<T> {
    fn default() -> Self {
        Self { values: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slab<T> {
    /// Adds a value; returns its number.
    pub fn add(&mut self, value: T) -> usize {
        if let Some(number) = self.free.pop() {
            self.values[number] = value;
            return number;
        }
        self.values.push(value);
        self.values.len() - 1
    }

    /// The value with this number.
    pub fn of(&mut self, number: usize) -> &mut T {
        &mut self.values[number]
    }

    /// Frees a number.
    pub fn remove(&mut self, number: usize) {
        self.free.push(number);
    }
}
