//! When a timer fires: the part of systemd.time(7)'s calendar events that says on which days of every year, and at what
//! times of them.

use std::ops::Range;

/// A calendar event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    /// Monday first.
    weekdays: [bool; 7],
    /// January is 1.
    months: [bool; 13],
    days: [bool; 32],
    /// Seconds since midnight, sorted, never empty.
    times: Vec<u32>,
}

/// What is wrong, and where in the text.
pub type Fault = (Range<usize>, String);

const WEEKDAYS: [(&str, &str); 7] = [
    ("mon", "monday"),
    ("tue", "tuesday"),
    ("wed", "wednesday"),
    ("thu", "thursday"),
    ("fri", "friday"),
    ("sat", "saturday"),
    ("sun", "sunday"),
];
const DAY: u64 = 86_400;

impl Calendar {
    pub fn parse(text: &str) -> Result<Calendar, Fault> {
        let long = match text.trim().to_ascii_lowercase().as_str() {
            "hourly" => "*-*-* *:00",
            "daily" => "*-*-* 00:00",
            "weekly" => "Mon *-*-* 00:00",
            "monthly" => "*-*-01 00:00",
            _ => return Calendar::read(text),
        };
        Calendar::read(long)
    }

    fn read(text: &str) -> Result<Calendar, Fault> {
        let place = |part: &str| {
            let start = part.as_ptr() as usize - text.as_ptr() as usize;
            start..start + part.len()
        };
        let mut calendar = Calendar { weekdays: [true; 7], months: [true; 13], days: [true; 32], times: vec![0] };
        calendar.months[0] = false;
        calendar.days[0] = false;
        let (mut weekdays, mut date, mut time) = (false, false, false);
        let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
        if words.is_empty() {
            return Err((0..text.len(), "it says no time".into()));
        }
        for word in words {
            let fail = |why: String| (place(word), why);
            if word.contains(':') {
                if std::mem::replace(&mut time, true) {
                    return Err(fail("there are two times".into()));
                }
                calendar.times = times(word).map_err(fail)?;
            } else if word.contains('-') {
                if time || std::mem::replace(&mut date, true) {
                    return Err(fail("a date stands once, before the time".into()));
                }
                let parts: Vec<&str> = word.split('-').collect();
                let (month, day) = match parts[..] {
                    ["*", month, day] => (month, day),
                    [month, day] => (month, day),
                    [year, _, _] => {
                        return Err(fail(format!("the year {year} comes once: write \"*\" for every year")));
                    }
                    _ => return Err(fail("a date is YEAR-MONTH-DAY or MONTH-DAY".into())),
                };
                set(&mut calendar.months, month, 1, "month").map_err(fail)?;
                set(&mut calendar.days, day, 1, "day of the month").map_err(fail)?;
            } else {
                if date || time || std::mem::replace(&mut weekdays, true) {
                    return Err(fail("days of the week come first, without blanks between them".into()));
                }
                calendar.weekdays = days_of_week(word).map_err(fail)?;
            }
        }
        Ok(calendar)
    }

    /// The longest time between one firing and the next, in seconds. None where it never fires.
    pub fn longest_pause(&self) -> Option<u64> {
        let (first, last) = (u64::from(*self.times.first()?), u64::from(*self.times.last()?));
        let within = self.times.windows(2).map(|two| u64::from(two[1] - two[0])).max().unwrap_or(0);
        let days = self.longest_days()?;
        Some(within.max(days * DAY - (last - first)))
    }

    /// The most days from one on which it fires to the next. Dates fall on the same weekdays again after 28 years.
    fn longest_days(&self) -> Option<u64> {
        if self.weekdays == [true; 7] && self.months[1..] == [true; 12] && self.days[1..] == [true; 31] {
            return Some(1);
        }
        // 2001-01-01 was a Monday.
        let (mut number, mut weekday) = (0_u64, 0);
        let (mut previous, mut longest) = (None, 0);
        for year in 2001..2001 + 2 * 28 {
            for month in 1..=12_usize {
                let length = match month {
                    2 if year % 4 == 0 => 29,
                    2 => 28,
                    4 | 6 | 9 | 11 => 30,
                    _ => 31,
                };
                for day in 1..=length {
                    if self.weekdays[weekday] && self.months[month] && self.days[day] {
                        longest = previous.map_or(longest, |before: u64| longest.max(number - before));
                        previous = Some(number);
                    }
                    number += 1;
                    weekday = (weekday + 1) % 7;
                }
            }
        }
        previous.map(|_| longest)
    }
}

/// `*`, numbers, ranges `1..5` and steps `0/15`, separated by commas: sets their places.
fn set(set: &mut [bool], text: &str, low: usize, what: &str) -> Result<(), String> {
    let high = set.len() - 1;
    set.fill(false);
    let number = |text: &str| match text.parse::<usize>() {
        Ok(n) if (low..=high).contains(&n) && text.len() <= 2 && text.bytes().all(|b| b.is_ascii_digit()) => Ok(n),
        _ => Err(format!("\"{}\" is no {what}: it goes from {low} to {high}", text.escape_debug())),
    };
    for part in text.split(',') {
        let (range, step) = match part.split_once('/') {
            None => (part, None),
            Some((range, step)) => {
                let step = step.parse::<usize>().ok().filter(|step| (1..=high).contains(step));
                (range, Some(step.ok_or_else(|| format!("the step after \"/\" in \"{part}\" is no number that fits"))?))
            }
        };
        let (from, to) = match range.split_once("..") {
            _ if range == "*" => (low, high),
            Some((from, to)) => (number(from)?, number(to)?),
            None if step.is_some() => (number(range)?, high),
            None => (number(range)?, number(range)?),
        };
        if from > to {
            return Err(format!("\"{part}\" ends before it begins"));
        }
        for place in (from..=to).step_by(step.unwrap_or(1)) {
            set[place] = true;
        }
    }
    Ok(())
}

fn times(word: &str) -> Result<Vec<u32>, String> {
    let parts: Vec<&str> = word.split(':').collect();
    let (hour, minute, second) = match parts[..] {
        [hour, minute] => (hour, minute, "0"),
        [hour, minute, second] => (hour, minute, second),
        _ => return Err("a time is HOUR:MINUTE or HOUR:MINUTE:SECOND".into()),
    };
    let (mut hours, mut minutes, mut seconds) = ([false; 24], [false; 60], [false; 60]);
    set(&mut hours, hour, 0, "hour")?;
    set(&mut minutes, minute, 0, "minute")?;
    set(&mut seconds, second, 0, "second")?;
    let on = |set: &[bool]| -> Vec<u32> { (0..).zip(set).filter(|(_, on)| **on).map(|(n, _)| n).collect() };
    let mut times = Vec::new();
    for hour in on(&hours) {
        for minute in on(&minutes) {
            times.extend(on(&seconds).iter().map(|second| hour * 3600 + minute * 60 + second));
        }
    }
    Ok(times)
}

fn days_of_week(word: &str) -> Result<[bool; 7], String> {
    let mut set = [false; 7];
    let day = |name: &str| {
        let lower = name.to_ascii_lowercase();
        WEEKDAYS
            .iter()
            .position(|(short, long)| lower == *short || lower == *long)
            .ok_or_else(|| format!("\"{}\" is neither a day of the week, nor a date, nor a time", name.escape_debug()))
    };
    for part in word.split(',') {
        let (from, to) = match part.split_once("..") {
            Some((from, to)) => (day(from)?, day(to)?),
            None => (day(part)?, day(part)?),
        };
        // systemd reads Sat..Mon as Saturday to Monday.
        let length = (to + 7 - from) % 7;
        for place in from..=from + length {
            set[place % 7] = true;
        }
    }
    Ok(set)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3600;

    fn pause(text: &str) -> Option<u64> {
        Calendar::parse(text).unwrap_or_else(|(_, why)| panic!("{text}: {why}")).longest_pause()
    }

    #[test]
    fn the_longest_pause_is_known() {
        for (text, hours) in [
            ("hourly", 1),
            ("daily", 24),
            ("Daily", 24),
            ("weekly", 7 * 24),
            ("monthly", 31 * 24),
            ("03:17", 24),
            ("*-*-* 03:17:00", 24),
            ("*-*-* 02,14:30", 12),
            ("*:0/15", 0),
            ("Mon..Fri 22:30", 3 * 24),
            ("Sat,Sun *-*-* 04:00", 6 * 24),
            ("Sat..Mon 04:00", 5 * 24),
            ("*-*-01,15 00:00", 17 * 24),
            ("*-02-29 00:00", (4 * 365 + 1) * 24),
            ("06-01 12:00", 366 * 24),
            ("Sat *-*-* 06,18:00", 7 * 24 - 12),
        ] {
            assert_eq!(pause(text).map(|pause| pause / HOUR), Some(hours), "{text}");
        }
    }

    #[test]
    fn what_never_fires_is_known() {
        for text in ["*-02-30 00:00", "*-02,04,06,09,11-31 00:00", "04-31"] {
            assert_eq!(pause(text), None, "{text}");
        }
        assert!(pause("*-02-28..31 00:00").is_some());
        assert!(pause("Mon *-02-29 00:00").is_some());
    }

    #[test]
    fn what_is_no_calendar_event_is_told_with_its_place() {
        for (text, part, why) in [
            ("dayly", "dayly", "neither a day"),
            ("*-*-* 25:00", "25:00", "from 0 to 23"),
            ("*-13-01", "*-13-01", "from 1 to 12"),
            ("2026-01-01 00:00", "2026-01-01", "comes once"),
            ("Mon..Fry 10:00", "Mon..Fry", "Fry"),
            ("10:00 Mon", "Mon", "first"),
            ("10:00 11:00", "11:00", "two times"),
            ("*-*-* 5..3:00", "5..3:00", "ends before"),
            ("*-*-* 0/0:00", "0/0:00", "step"),
            ("17 3 * * *", "17", "neither"),
            ("", "", "no time"),
            ("1:2:3:4", "1:2:3:4", "HOUR:MINUTE"),
        ] {
            let (range, message) = Calendar::parse(text).unwrap_err();
            assert_eq!(&text[range], part, "{text}: {message}");
            assert!(message.contains(why), "{text}: {message}");
        }
    }
}
