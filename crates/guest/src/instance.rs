//! Values that an instance keeps between requests.

use std::{cell::RefCell, rc::Rc, thread::LocalKey};

use rollcall_rooms::Error;

/// A value that the first request makes and the instance keeps. Requests of one instance take turns at every await, so
/// two requests may make the value at once; the instance keeps the later value, and both are correct.
pub struct PerInstance<T>(RefCell<Option<Rc<T>>>);

impl<T: 'static> PerInstance<T> {
    /// No value yet.
    pub const fn new() -> Self {
        Self(RefCell::new(None))
    }

    /// Returns the value, if there is one already.
    pub fn kept(kept: &'static LocalKey<Self>) -> Option<Rc<T>> {
        kept.with(|kept| kept.0.borrow().clone())
    }

    /// Returns the value, and makes the value if there is none.
    pub async fn get(
        kept: &'static LocalKey<Self>,
        make: impl AsyncFnOnce() -> Result<T, Error>,
    ) -> Result<Rc<T>, Error> {
        if let Some(value) = Self::kept(kept) {
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
