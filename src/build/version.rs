//! Versions: `YYYYMMDD.N`, with `+debNN` where a name has more than one variant. They only ever rise: a new base is
//! the greater of today's first and the highest ever published plus one, so a clock that runs back does no harm.

use std::fmt;

/// `YYYYMMDD.N`: what all variants of a name share. Ordered as dpkg orders the text (deb-version(7)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Base {
    /// The date as a number: 20261122.
    pub date: u32,
    /// Counts from 1 on a date.
    pub number: u32,
}

impl Base {
    /// The base of a version's text: `20261122.1` or `20261122.1+deb12`. None where debrole did not make it.
    pub fn parse(version: &str) -> Option<Base> {
        let base = match version.split_once("+deb") {
            Some((base, release)) => {
                release.parse::<u32>().ok()?;
                base
            }
            None => version,
        };
        let (date, number) = base.split_once('.')?;
        let plain = |text: &str| !text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
        if date.len() < 8 || !plain(date) || !plain(number) {
            return None;
        }
        Some(Base { date: date.parse().ok()?, number: number.parse().ok()? })
    }

    /// The first base of the day that `time` (seconds since 1970 UTC) falls on; None outside the years 1970 to 9999.
    pub fn first_of(time: i64) -> Option<Base> {
        if time < 0 {
            return None;
        }
        let date = jiff::Timestamp::from_second(time).ok()?.to_zoned(jiff::tz::TimeZone::UTC).date();
        let date = (date.year() as u32 * 100 + date.month() as u32) * 100 + date.day() as u32;
        Some(Base { date, number: 1 })
    }

    /// The base after all that was published: the greater of `today` and the highest plus one.
    pub fn next(today: Base, highest: Option<Base>) -> Base {
        match highest {
            Some(highest) if highest >= today => match highest.number.checked_add(1) {
                Some(number) => Base { date: highest.date, number },
                None => Base { date: highest.date + 1, number: 1 },
            },
            _ => today,
        }
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.date, self.number)
    }
}

/// Compares two versions as dpkg does (deb-version(7)); None where one of them is not a version.
pub fn compare(a: &str, b: &str) -> Option<std::cmp::Ordering> {
    let parse = |text: &str| text.parse::<debversion::Version>().ok();
    Some(parse(a)?.cmp(&parse(b)?))
}
