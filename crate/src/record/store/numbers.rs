//! Short numbers for names, as long as something is named so.

use crate::sorted::Map;

/// Names and their numbers.
#[derive(Clone, Debug)]
pub(super) struct Numbers<T> {
    numbers: Map<T, u32>,
    /// By number: the name and how often it is used; unused ones wait in `free`.
    names: Vec<(T, u32)>,
    free: Vec<u32>,
}

impl<T> Default for Numbers<T> {
    fn default() -> Self {
        Self {
            numbers: Map::new(),
            names: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T: Ord + Clone> Numbers<T> {
    /// The number of a name that is in use.
    pub(super) fn get(&self, name: &T) -> Option<u32> {
        self.numbers.get(name).copied()
    }

    /// The names in use, in order, with their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&T, u32)> {
        self.numbers.iter().map(|(name, number)| (name, *number))
    }

    /// The number of a name, used once more.
    pub(super) fn take(&mut self, name: &T) -> u32 {
        if let Some(number) = self.get(name) {
            self.again(number);
            return number;
        }
        let named = (name.clone(), 1);
        let number = match self.free.pop() {
            Some(number) => {
                if let Some(place) = self.names.get_mut(number as usize) {
                    *place = named;
                }
                number
            }
            None => {
                self.names.push(named);
                (self.names.len() - 1) as u32
            }
        };
        self.numbers.insert(name.clone(), number);
        number
    }

    /// Uses a number that is in use once more.
    pub(super) fn again(&mut self, number: u32) {
        if let Some((_, uses)) = self.names.get_mut(number as usize) {
            *uses += 1;
        }
    }

    /// Undoes one [`take`](Self::take) or [`again`](Self::again).
    pub(super) fn release(&mut self, number: u32) {
        let Some((name, uses)) = self.names.get_mut(number as usize) else {
            return;
        };
        *uses = uses.saturating_sub(1);
        if *uses == 0 {
            self.numbers.remove(name);
            self.free.push(number);
        }
    }
}
