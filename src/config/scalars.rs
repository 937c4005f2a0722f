//! The texts of the file that have a form of their own: durations, sizes, names, paths.
//!
//! The schema knows their form, so that a wrong one is found with everything else that is wrong.

use std::borrow::Cow;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $schema:tt) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
        #[serde(transparent)]
        pub(super) struct $name(pub(super) String);

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }

        impl $name {
            pub(super) fn as_str(&self) -> &str {
                &self.0
            }
        }
    };
}

text!(
    /// A time with its unit.
    DurationText,
    {
        "type": "string", "title": "duration", "pattern": "^[0-9]{1,9}(ms|s|m|h)$",
        "examples": ["500ms", "10s", "5m", "1h"]
    }
);
text!(
    /// A number of bytes with its unit.
    SizeText,
    {
        "type": "string", "title": "size", "pattern": "^[0-9]{1,9}(B|KiB|MiB|GiB)$",
        "examples": ["16KiB", "64MiB"]
    }
);
text!(
    /// A name as records, metrics and policies repeat it.
    Name,
    {
        "type": "string", "title": "name", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$",
        "examples": ["orders", "orders-v2"]
    }
);
text!(
    /// A path; a relative one starts at the folder of the file.
    PathText,
    { "type": "string", "title": "path", "minLength": 1, "maxLength": 4096 }
);
text!(
    /// An IP address with a port.
    AddressText,
    {
        "type": "string", "title": "address", "minLength": 1, "maxLength": 128,
        "examples": ["0.0.0.0:8443", "[::1]:8443"]
    }
);

impl DurationText {
    /// The time, or `None` where the text has another form.
    pub(super) fn duration(&self) -> Option<Duration> {
        let (number, unit) = split(&self.0)?;
        match unit {
            "ms" => Some(Duration::from_millis(number)),
            "s" => Some(Duration::from_secs(number)),
            "m" => Some(Duration::from_secs(number * 60)),
            "h" => Some(Duration::from_secs(number * 3_600)),
            _ => None,
        }
    }
}

/// The shortest form: `90s`, `5m`, `1500ms`.
impl From<Duration> for DurationText {
    fn from(duration: Duration) -> Self {
        let (seconds, millis) = (duration.as_secs(), duration.as_millis());
        Self(match () {
            () if duration.subsec_millis() != 0 => format!("{millis}ms"),
            () if seconds != 0 && seconds.is_multiple_of(3_600) => format!("{}h", seconds / 3_600),
            () if seconds != 0 && seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
            () => format!("{seconds}s"),
        })
    }
}

impl SizeText {
    /// The bytes, or `None` where the text has another form.
    pub(super) fn bytes(&self) -> Option<u64> {
        let (number, unit) = split(&self.0)?;
        let shift = match unit {
            "B" => 0,
            "KiB" => 10,
            "MiB" => 20,
            "GiB" => 30,
            _ => return None,
        };
        number.checked_mul(1 << shift)
    }
}

impl From<u64> for SizeText {
    fn from(bytes: u64) -> Self {
        Self(match () {
            () if bytes != 0 && bytes.is_multiple_of(1 << 20) => format!("{}MiB", bytes >> 20),
            () if bytes != 0 && bytes.is_multiple_of(1 << 10) => format!("{}KiB", bytes >> 10),
            () => format!("{bytes}B"),
        })
    }
}

impl From<&str> for PathText {
    fn from(path: &str) -> Self {
        Self(path.to_owned())
    }
}

fn split(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    // Nine digits fit whatever the unit multiplies them by.
    (digits <= 9).then_some(())?;
    Some((number.parse().ok()?, unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_duration(text: &str, millis: Option<u128>) {
        let duration = DurationText(text.to_owned()).duration();
        assert_eq!(duration.map(|d| d.as_millis()), millis, "{text}");
    }

    #[test]
    fn a_duration_needs_a_unit() {
        check_duration("500ms", Some(500));
        check_duration("10s", Some(10_000));
        check_duration("5m", Some(300_000));
        check_duration("1h", Some(3_600_000));
        for wrong in ["", "10", "s", "1d", "-1s", "1.5s", "1 s", "9999999999s", "1S"] {
            check_duration(wrong, None);
        }
    }

    #[test]
    fn a_size_needs_a_binary_unit() {
        let bytes = |text: &str| SizeText(text.to_owned()).bytes();
        assert_eq!(bytes("16KiB"), Some(16_384));
        assert_eq!(bytes("64MiB"), Some(67_108_864));
        assert_eq!(bytes("7B"), Some(7));
        assert_eq!([bytes("64MB"), bytes("64"), bytes("MiB")], [None; 3]);
    }

    #[test]
    fn defaults_are_written_in_the_shortest_form() {
        assert_eq!(DurationText::from(Duration::from_secs(300)).as_str(), "5m");
        assert_eq!(DurationText::from(Duration::from_millis(1500)).as_str(), "1500ms");
        assert_eq!(DurationText::from(Duration::ZERO).as_str(), "0s");
        assert_eq!(SizeText::from(16_384).as_str(), "16KiB");
        assert_eq!(SizeText::from(1000).as_str(), "1000B");
    }
}
