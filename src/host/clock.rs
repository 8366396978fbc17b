//! Clock offsets of time namespaces: what the kernel takes (time_namespaces(7)).
//!
//! The hard thing here: the kernel answers ERANGE without saying what the range is, and the range moves
//! with the clock.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::model::Clock;
use crate::model::number::decimal;
use crate::sys::{self, Limit, Proc};

const NANOSECONDS: i128 = 1_000_000_000;

/// The highest reading of a clock in a time namespace, in nanoseconds: half of what a 64-bit ktime holds,
/// 146 years.
///
/// Measured on Linux 6.18, for both clocks: with the clock at 885.4 s, an offset of 4611685133 s is
/// accepted and one of 4611685134 s is ERANGE; -885 s is accepted and -886 s is ERANGE. The bounds are on the
/// sum of offset and clock, where "the clock" is that of the initial time namespace: an offset
/// set in a time namespace below another replaces the other's offset and is not added to it.
const HIGHEST: i128 = (i64::MAX / 2) as i128;

/// The offsets in whole seconds that the kernel takes now.
///
/// `now` is what the clock reads to us, and `offset` the offset (in nanoseconds) of the time namespace that we
/// are in: 0 in the initial one, else from [`Offsets`]. The range is what it is at `now`: an
/// offset at the lower end stays good, one at the upper end may be refused a moment later.
fn offset_range(now: Duration, offset: i128) -> RangeInclusive<i64> {
    let initial = i128::try_from(now.as_nanos())
        .unwrap_or(i128::MAX)
        .saturating_sub(offset);
    // Rounded down; where that is more than a clock can read, the largest that is safe to negate.
    let seconds = |nanoseconds: i128| {
        let most = i128::from(i64::MAX);
        let whole = nanoseconds.div_euclid(NANOSECONDS).clamp(-most, most);
        i64::try_from(whole).unwrap_or(i64::MAX)
    };
    -seconds(initial)..=seconds(HIGHEST.saturating_sub(initial))
}

/// As [`offset_range`], for now and the time namespace that we are in; nothing where its offsets cannot be read.
pub(crate) fn range_now(proc: &Proc, clock: Clock) -> Option<RangeInclusive<i64>> {
    let offsets = Offsets::parse(&proc.read("self/timens_offsets", Limit::FILE).ok()?)?;
    Some(range_with(clock, offsets))
}

/// What our time namespace sets the clock off by from which starts of processes are counted, in nanoseconds.
pub(crate) fn boottime_offset(proc: &Proc) -> i128 {
    let text = proc.read("self/timens_offsets", Limit::FILE).ok();
    // Before Linux 5.6 there is none.
    let offsets = text.and_then(|text| Offsets::parse(&text));
    offsets.map_or(0, |offsets| offsets.boottime)
}

/// As [`range_now`], with the offsets of the initial time namespace.
pub(crate) fn range_without_offsets(clock: Clock) -> RangeInclusive<i64> {
    range_with(
        clock,
        Offsets {
            monotonic: 0,
            boottime: 0,
        },
    )
}

fn range_with(clock: Clock, offsets: Offsets) -> RangeInclusive<i64> {
    let offset = match clock {
        Clock::Monotonic => offsets.monotonic,
        Clock::Boottime => offsets.boottime,
    };
    offset_range(sys::clock(clock == Clock::Boottime), offset)
}

/// The offsets of a time namespace, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Offsets {
    /// Of `CLOCK_MONOTONIC`.
    monotonic: i128,
    /// Of `CLOCK_BOOTTIME`.
    boottime: i128,
}

impl Offsets {
    /// Reads `/proc/PID/timens_offsets`: lines of a clock's name or number, seconds and nanoseconds.
    fn parse(text: &[u8]) -> Option<Self> {
        let (mut monotonic, mut boottime) = (None, None);
        for line in text
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
        {
            let mut fields = line
                .split(u8::is_ascii_whitespace)
                .filter(|field| !field.is_empty());
            let clock = match fields.next()? {
                // Names since Linux 5.7, numbers before.
                b"monotonic" | b"1" => &mut monotonic,
                b"boottime" | b"7" => &mut boottime,
                _ => continue,
            };
            let (seconds, nanoseconds) = (decimal(fields.next()?)?, decimal(fields.next()?)?);
            *clock = Some(seconds.checked_mul(NANOSECONDS)?.checked_add(nanoseconds)?);
        }
        Some(Self {
            monotonic: monotonic?,
            boottime: boottime?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn as_measured() {
        let now = Duration::from_millis(885_350);
        assert_eq!(offset_range(now, 0), -885..=4_611_685_133);
        // Set 1000 seconds ahead, the clock reads more and the range stays.
        let ahead = now + Duration::from_secs(1000);
        assert_eq!(
            offset_range(ahead, 1000 * NANOSECONDS),
            -885..=4_611_685_133
        );
    }

    #[test]
    fn the_upper_end_follows_the_fraction() {
        // 4611686018.427… is the highest reading.
        assert_eq!(
            offset_range(Duration::from_millis(400), 0),
            0..=4_611_686_018
        );
        assert_eq!(
            offset_range(Duration::from_millis(500), 0),
            0..=4_611_686_017
        );
        assert_eq!(offset_range(Duration::ZERO, 0), 0..=4_611_686_018);
    }

    #[test]
    fn offsets_are_read() {
        let parse = |text: &str| Offsets::parse(text.as_bytes());
        let text = "monotonic        1000         0\nboottime          -3 500000000\n";
        let offsets = Offsets {
            monotonic: 1000 * NANOSECONDS,
            boottime: -2_500_000_000,
        };
        assert_eq!(parse(text), Some(offsets));
        assert_eq!(parse("1 1000 0\n7 -3 500000000\n"), Some(offsets));
        for text in [
            "",
            "monotonic 1 0\n",
            "monotonic 1\nboottime 1 0\n",
            "monotonic x 0\nboottime 1 0\n",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn each_clock_goes_by_its_own_offset() {
        let offsets = Offsets {
            monotonic: 1_000_000 * NANOSECONDS,
            boottime: -1_000_000 * NANOSECONDS,
        };
        for (clock, offset) in [(Clock::Monotonic, 1_000_000), (Clock::Boottime, -1_000_000)] {
            // Which goes on meanwhile.
            let before = range_without_offsets(clock);
            let with = range_with(clock, offsets);
            let after = range_without_offsets(clock);
            let least = (after.start() + offset)..=(before.start() + offset);
            assert!(least.contains(with.start()), "{with:?} {least:?}");
            let most = (after.end() + offset)..=(before.end() + offset);
            assert!(most.contains(with.end()), "{with:?} {most:?}");
        }
    }

    #[test]
    fn offsets_of_this_process() {
        let proc = Proc::default();
        // Not there before Linux 5.6.
        let text = std::fs::read("/proc/self/timens_offsets").unwrap_or_default();
        let offsets = Offsets::parse(&text);
        let boottime = offsets.map_or(0, |offsets| offsets.boottime);
        assert_eq!(boottime_offset(&proc), boottime);
        for clock in [Clock::Monotonic, Clock::Boottime] {
            let before = offsets.map(|offsets| range_with(clock, offsets));
            let now = range_now(&proc, clock);
            let after = offsets.map(|offsets| range_with(clock, offsets));
            let start = |range: Option<RangeInclusive<i64>>| range.map(|range| *range.start());
            let [before, now, after] = [before, now, after].map(start);
            assert!(
                after <= now && now <= before,
                "{after:?} {now:?} {before:?}"
            );
        }
    }

    proptest! {
        #[test]
        fn both_ends_hold_and_no_more(now in 0_u64..4_000_000_000_000_000_000) {
            let range = offset_range(Duration::from_nanos(now), 0);
            let reading = |offset: i64| i128::from(now) + i128::from(offset) * NANOSECONDS;
            let taken = |offset| (0..=HIGHEST).contains(&reading(offset));
            prop_assert!(taken(*range.start()) && taken(*range.end()));
            prop_assert!(!taken(range.start() - 1) && !taken(range.end() + 1));
        }

        #[test]
        fn any_clock_does(seconds: u64, nanoseconds in 0_u32..1_000_000_000, offset: i128, text: Vec<u8>) {
            offset_range(Duration::new(seconds, nanoseconds), offset);
            Offsets::parse(&text);
        }
    }
}
