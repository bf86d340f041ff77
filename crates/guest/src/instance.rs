//! What an instance keeps between the calls that it serves.

use std::{cell::RefCell, rc::Rc, thread::LocalKey};

use rollcall_rooms::Failure;

/// A value that is made at the first call and kept. Calls of one instance take turns at every await, so two may
/// make it at once; the later one wins, and both are right.
pub struct PerInstance<T>(RefCell<Option<Rc<T>>>);

impl<T: 'static> PerInstance<T> {
    /// Nothing made yet.
    pub const fn new() -> Self {
        Self(RefCell::new(None))
    }

    /// The value, made now if it is not there.
    pub async fn get(
        kept: &'static LocalKey<Self>,
        make: impl AsyncFnOnce() -> Result<T, Failure>,
    ) -> Result<Rc<T>, Failure> {
        if let Some(value) = kept.with(|kept| kept.0.borrow().clone()) {
            return Ok(value);
        }
        let value = Rc::new(make().await?);
        kept.with(|kept| kept.0.replace(Some(Rc::clone(&value))));
        Ok(value)
    }
}

impl<T: 'static> Default for PerInstance<T> {
    fn default() -> Self {
        Self::new()
    }
}
