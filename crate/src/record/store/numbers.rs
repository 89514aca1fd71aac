//! Short numbers for names, as long as something is named so.

/// Names and their numbers.
#[derive(Clone, Debug)]
pub(super) struct Numbers<T> {
    /// The numbers in use, in the order of their names.
    sorted: Vec<u32>,
    /// By number: the name and how often it is used; unused numbers wait in `free`.
    names: Vec<Option<(T, u32)>>,
    free: Vec<u32>,
}

impl<T> Default for Numbers<T> {
    fn default() -> Self {
        Self {
            sorted: Vec::new(),
            names: Vec::new(),
            free: Vec::new(),
        }
    }
}

impl<T: Ord + Clone> Numbers<T> {
    fn name(&self, number: u32) -> Option<&T> {
        let (name, _) = self.names.get(number as usize)?.as_ref()?;
        Some(name)
    }

    /// Where the number of a name stands, or would.
    fn find(&self, name: &T) -> Result<usize, usize> {
        self.sorted
            .binary_search_by(|number| self.name(*number).cmp(&Some(name)))
    }

    /// The number of a name that is in use.
    pub(super) fn get(&self, name: &T) -> Option<u32> {
        self.sorted.get(self.find(name).ok()?).copied()
    }

    /// The names in use, in order, with their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&T, u32)> {
        let numbers = self.sorted.iter();
        numbers.filter_map(|number| Some((self.name(*number)?, *number)))
    }

    /// How many names are in use.
    pub(super) fn len(&self) -> usize {
        self.sorted.len()
    }

    /// The number of a name, used once more.
    pub(super) fn take(&mut self, name: &T) -> u32 {
        let at = match self.find(name) {
            Ok(at) => {
                let number = self.sorted.get(at).copied().unwrap_or_default();
                self.again(number);
                return number;
            }
            Err(at) => at,
        };
        let named = Some((name.clone(), 1));
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
        self.sorted.insert(at, number);
        number
    }

    /// Uses a number that is in use once more.
    pub(super) fn again(&mut self, number: u32) {
        if let Some(Some((_, uses))) = self.names.get_mut(number as usize) {
            *uses += 1;
        }
    }

    /// Undoes one [`take`](Self::take) or [`again`](Self::again).
    pub(super) fn release(&mut self, number: u32) {
        let Some(Some((name, uses))) = self.names.get_mut(number as usize) else {
            return;
        };
        *uses = uses.saturating_sub(1);
        if *uses == 0 {
            let name = name.clone();
            if let Ok(at) = self.find(&name) {
                self.sorted.remove(at);
            }
            if let Some(place) = self.names.get_mut(number as usize) {
                *place = None;
            }
            self.free.push(number);
        }
    }
}
