//! The keys of the input document as engine values.

/// Defines `Keys`, one field a key; the text is the field's name unless it is written out. Keys are
/// made once a thread: cloning one is cheap, and threads do not share its counter.
macro_rules! keys {
    (@text $name:ident) => { stringify!($name) };
    (@text $name:ident $text:literal) => { $text };
    ($($name:ident $(= $text:literal)?)*) => {
        struct Keys { $($name: ::regorus::Value),* }

        impl Keys {
            fn new() -> Self {
                Self { $($name: ::regorus::Value::from(keys!(@text $name $($text)?))),* }
            }
        }
    };
}

pub(super) use keys;
