//! ID maps of user namespaces: what was asked for, made into what the kernel takes (user_namespaces(7)).
//!
//! The hard thing here: a single ID and ranges together. The single ID wins on both sides, and each
//! range that it takes an ID from is pulled together around the gap, so that the map stays one to one.

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::OsStrExt;

use crate::model::number::{LAST_ID, Quoted, decimal, within};
use crate::model::sorted;
use crate::model::subid::SubIds;

/// The most extents that a map can have (user_namespaces(7): 340 since Linux 4.15).
const MOST_EXTENTS: usize = 340;
/// The most bytes of an extent's line: three numbers of ten digits, and what ends each.
const LONGEST_LINE: usize = 3 * (10 + 1);

/// `count` IDs from `inside` on, each mapped to the one as far from `outside`; never empty.
///
/// No ID is past [`LAST_ID`], but for the outer side of a map that was read (see [`IdMap::parse`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Extent {
    inside: u32,
    outside: u32,
    count: u32,
}

impl Extent {
    /// The extent of these numbers.
    ///
    /// # Errors
    /// `count` is 0, or an end lies past 4294967295.
    pub(crate) fn new(inside: u32, outside: u32, count: u32) -> Result<Self, String> {
        let extent = Self {
            inside,
            outside,
            count,
        };
        if count == 0 {
            return Err(format!("range {extent} has a count of 0"));
        }
        for (side, first) in [("inner", inside), ("outer", outside)] {
            if first.checked_add(count).is_none() {
                return Err(format!(
                    "range {extent} ends past ID {LAST_ID}, the last one, on the {side} side"
                ));
            }
        }
        Ok(extent)
    }

    /// One ID.
    fn single(inside: u32, outside: u32) -> Result<Self, String> {
        Self::new(inside, outside, 1)
    }

    /// The first ID in the new namespace.
    pub(crate) fn inside(self) -> u32 {
        self.inside
    }

    /// The first ID in the parent namespace.
    pub(crate) fn outside(self) -> u32 {
        self.outside
    }

    /// How many IDs.
    pub(crate) fn count(self) -> u32 {
        self.count
    }

    /// Whether `next` goes on where this ends, on both sides.
    fn touches(self, next: Self) -> bool {
        self.inside + self.count == next.inside && self.outside + self.count == next.outside
    }

    /// What is left of this extent when `inside` and `outside` belong to somebody else: the IDs left on
    /// the one side go in order to those left on the other, and the topmost one without a partner is dropped.
    ///
    /// `may_grow`: the ID after the last one inside is free, and takes the place of the one that is lost there.
    fn without(self, inside: u32, outside: u32, may_grow: bool) -> impl Iterator<Item = Self> {
        let lost = inside
            .checked_sub(self.inside)
            .is_some_and(|above| above < self.count);
        let count = self.count + u32::from(lost && may_grow);
        let mut inner = runs(self.inside, count, inside);
        let mut outer = runs(self.outside, self.count, outside);
        std::iter::from_fn(move || {
            let from = inner.iter_mut().find(|run| run.count > 0)?;
            let to = outer.iter_mut().find(|run| run.count > 0)?;
            let count = from.count.min(to.count);
            Some(Self {
                inside: from.take(count),
                outside: to.take(count),
                count,
            })
        })
    }
}

impl fmt::Display for Extent {
    /// As it can be given: `inner:outer:count`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.inside, self.outside, self.count)
    }
}

/// `count` IDs of one side, from `first` on.
struct Span {
    first: u32,
    count: u32,
}

impl Span {
    /// Takes the lowest `count` IDs away, and says where they began.
    fn take(&mut self, count: u32) -> u32 {
        let first = self.first;
        self.first += count;
        self.count -= count;
        first
    }
}

/// The IDs before and after `hole`; without a hole in it, all and none.
fn runs(first: u32, count: u32, hole: u32) -> [Span; 2] {
    let end = first + count;
    if !(first..end).contains(&hole) {
        return [
            Span { first, count },
            Span {
                first: end,
                count: 0,
            },
        ];
    }
    [
        Span {
            first,
            count: hole - first,
        },
        Span {
            first: hole + 1,
            count: end - hole - 1,
        },
    ]
}

/// A value of `--map-users` or `--map-groups`, as given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RangeSpec {
    /// `inner:outer:count`, or in the old order `outer,inner,count`.
    Extent(Extent),
    /// `auto`: the first subordinate range, from 0.
    Auto,
    /// `subids`: the first subordinate range, mapped to itself.
    SubIds,
    /// `all`: every ID of the parent namespace, mapped to itself.
    All,
}

impl RangeSpec {
    /// Reads a range.
    ///
    /// # Errors
    /// It is none of the forms, or its numbers make no extent.
    pub(crate) fn parse(value: &OsStr) -> Result<Self, String> {
        match value.as_bytes() {
            b"auto" => return Ok(Self::Auto),
            b"subids" => return Ok(Self::SubIds),
            b"all" => return Ok(Self::All),
            _ => {}
        }
        let three = |separator: u8| -> Option<[&OsStr; 3]> {
            let parts = value.as_bytes().split(|byte| *byte == separator);
            let mut parts = parts.map(OsStr::from_bytes);
            let three = [parts.next()?, parts.next()?, parts.next()?];
            parts.next().is_none().then_some(three)
        };
        let [inside, outside, count] = three(b':')
            .or_else(|| three(b',').map(|[outside, inside, count]| [inside, outside, count]))
            .ok_or_else(|| {
                format!(
                    "{} is not one of inner:outer:count, auto, subids, all",
                    Quoted(value)
                )
            })?;
        let number = |part| {
            within(part, 0..=u32::MAX).map_err(|why| format!("{why} (in range {})", Quoted(value)))
        };
        Extent::new(number(inside)?, number(outside)?, number(count)?).map(Self::Extent)
    }
}

/// A range whose numbers are known; it remembers how it was asked for, for the errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    spec: RangeSpec,
    extent: Extent,
}

impl Range {
    /// A range that was given in numbers.
    pub(crate) fn given(extent: Extent) -> Self {
        Self {
            spec: RangeSpec::Extent(extent),
            extent,
        }
    }

    /// What `auto` means to the owner of `ids`.
    pub(crate) fn auto(ids: SubIds) -> Self {
        let extent = Extent {
            inside: 0,
            outside: ids.first(),
            count: ids.count(),
        };
        Self {
            spec: RangeSpec::Auto,
            extent,
        }
    }

    /// What `subids` means to the owner of `ids`.
    pub(crate) fn subids(ids: SubIds) -> Self {
        let extent = Extent {
            inside: ids.first(),
            outside: ids.first(),
            count: ids.count(),
        };
        Self {
            spec: RangeSpec::SubIds,
            extent,
        }
    }

    /// What `all` means to a process whose own user namespace has the map `own`: the IDs that exist there, extent
    /// by extent.
    pub(crate) fn all(own: &IdMap) -> Vec<Self> {
        let existing = own.extents.iter().map(|extent| Self {
            spec: RangeSpec::All,
            extent: Extent {
                outside: extent.inside,
                ..*extent
            },
        });
        existing.collect()
    }
}

impl Range {
    /// Whether it may take one more ID inside: nobody named the last one of `auto`, which is there to give
    /// all the subordinate IDs a place, so util-linux shifts it by one rather than lose an ID. So do we.
    fn may_grow(&self, ranges: &[Range]) -> bool {
        let after = self.extent.inside + self.extent.count;
        self.spec == RangeSpec::Auto
            && after <= LAST_ID
            && ranges.iter().all(|other| other.extent.inside != after)
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self.spec {
            RangeSpec::Extent(_) => "",
            RangeSpec::Auto => "auto ",
            RangeSpec::SubIds => "subids ",
            RangeSpec::All => "all ",
        };
        write!(f, "{word}{}", self.extent)
    }
}

/// A map of user or group IDs, one to one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IdMap {
    extents: Vec<Extent>,
}

impl IdMap {
    /// The map of a single ID (inside, outside) and ranges, in the order given, the single ID first.
    ///
    /// Of a range that has the single ID on one side, the topmost ID of the other side is not mapped; `auto`
    /// loses none where there is room above it.
    /// Ranges that touch stay apart: the kernel refuses an extent that spans two of the parent's map, and every
    /// rootless container has such a map. Only where there would be more than the kernel takes do they become one
    /// extent. The single ID stays an extent of its own also then: newuidmap(1) lets the caller's own ID
    /// pass only so, as it is in no subordinate range.
    ///
    /// # Errors
    /// Two ranges overlap; the single ID is none; or the map is more than the kernel takes: 340 extents,
    /// and a text shorter than one page of `page_size` bytes.
    pub(crate) fn new(
        single: Option<(u32, u32)>,
        ranges: &[Range],
        page_size: usize,
    ) -> Result<Self, String> {
        overlap(ranges, "inner", |extent| extent.inside)?;
        overlap(ranges, "outer", |extent| extent.outside)?;
        let mut extents = Vec::with_capacity(ranges.len() + 1);
        match single {
            None => extents.extend(ranges.iter().map(|range| range.extent)),
            Some((inside, outside)) => {
                extents.push(Extent::single(inside, outside)?);
                extents.extend(ranges.iter().flat_map(|range| {
                    let may_grow = range.may_grow(ranges);
                    range.extent.without(inside, outside, may_grow)
                }));
            }
        }
        let mut map = Self { extents };
        if map.fits(page_size).is_ok() {
            return Ok(map);
        }
        let kept = usize::from(single.is_some());
        let ranges = merged(map.extents.get(kept..).unwrap_or_default());
        map.extents.truncate(kept);
        map.extents.extend(ranges);
        map.fits(page_size).map(|()| map)
    }

    /// Whether the kernel takes as much.
    fn fits(&self, page_size: usize) -> Result<(), String> {
        if self.extents.len() > MOST_EXTENTS {
            return Err(format!(
                "the ID map has {} extents; the kernel takes at most {MOST_EXTENTS}",
                self.extents.len()
            ));
        }
        let length = self.length();
        if length >= page_size {
            return Err(format!(
                "the ID map is {length} bytes long; the kernel takes less than one page, {page_size} bytes"
            ));
        }
        Ok(())
    }

    /// How many bytes its text has.
    fn length(&self) -> usize {
        let digits = |number: u32| number.checked_ilog10().map_or(1, |log| log as usize + 1);
        let of_extent = |extent: &Extent| {
            let Extent {
                inside,
                outside,
                count,
            } = *extent;
            digits(inside) + digits(outside) + digits(count) + 3
        };
        self.extents.iter().map(of_extent).sum()
    }

    /// Reads `/proc/PID/uid_map` or `gid_map`; `None` if it is not in that form.
    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        let lines = text
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty());
        let extents = lines
            .map(|line| {
                let mut numbers = line
                    .split(|byte| *byte == b' ')
                    .filter(|part| !part.is_empty())
                    .map(|part| u32::try_from(decimal(part)?).ok());
                let (inside, outside, count) =
                    (numbers.next()??, numbers.next()??, numbers.next()??);
                // The outer side is as the reader's namespace sees it: an extent that has no IDs there
                // shows 4294967295, so only the inner side must keep to the rules.
                let well_formed =
                    numbers.next().is_none() && count > 0 && inside.checked_add(count).is_some();
                well_formed.then_some(Extent {
                    inside,
                    outside,
                    count,
                })
            })
            .collect::<Option<_>>()?;
        Some(Self { extents })
    }

    /// The extents, in the order written.
    pub(crate) fn extents(&self) -> &[Extent] {
        &self.extents
    }

    /// Whether this is one ID only, which a process may map for itself without privilege, if the ID is its own.
    pub(crate) fn is_single(&self) -> bool {
        matches!(self.extents[..], [Extent { count: 1, .. }])
    }

    /// Whether there is this ID inside.
    pub(crate) fn has(&self, inside: u32) -> bool {
        let above = |extent: &Extent| inside.checked_sub(extent.inside);
        let mut extents = self.extents.iter();
        extents.any(|extent| above(extent).is_some_and(|above| above < extent.count))
    }

    /// The ID in the parent namespace of this one inside.
    #[cfg(test)]
    pub(crate) fn outside_of(&self, inside: u32) -> Option<u32> {
        self.extents.iter().find_map(|extent| {
            let above = inside.checked_sub(extent.inside)?;
            if above < extent.count {
                extent.outside.checked_add(above)
            } else {
                None
            }
        })
    }

    /// The ID inside of this one in the parent namespace.
    pub(crate) fn inside_of(&self, outside: u32) -> Option<u32> {
        self.extents.iter().find_map(|extent| {
            let above = outside.checked_sub(extent.outside)?;
            (above < extent.count).then(|| extent.inside + above)
        })
    }

    /// The bytes for `/proc/PID/uid_map` or `gid_map`, to be written at once.
    pub(crate) fn text(&self) -> Vec<u8> {
        // Put together by hand: a long map has a thousand numbers, and fmt would take most of the start.
        let mut text = Vec::with_capacity(self.extents.len() * LONGEST_LINE);
        for extent in &self.extents {
            let mut line = [0; LONGEST_LINE];
            let mut start = line.len();
            for (number, end) in [
                (extent.count, b'\n'),
                (extent.outside, b' '),
                (extent.inside, b' '),
            ] {
                start = put_before(&mut line, start, number, end);
            }
            text.extend_from_slice(line.get(start..).unwrap_or_default());
        }
        text
    }
}

impl fmt::Display for IdMap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.text()))
    }
}

/// Puts a number in decimal, and the sign that ends it, into the line in front of `start`; where it begins.
fn put_before(line: &mut [u8; LONGEST_LINE], mut start: usize, number: u32, end: u8) -> usize {
    let mut put = |byte| {
        start -= 1;
        line[start] = byte;
    };
    put(end);
    let mut rest = number;
    loop {
        // The remainder is below 10.
        put(b'0' + (rest % 10) as u8);
        rest /= 10;
        if rest == 0 {
            return start;
        }
    }
}

/// Fails when two ranges share an ID on the side that `first` gives.
fn overlap(ranges: &[Range], side: &str, first: impl Fn(Extent) -> u32) -> Result<(), String> {
    let is_before = |pair: &[Range]| match pair {
        [one, other] => first(one.extent) + one.extent.count <= first(other.extent),
        _ => true,
    };
    // Most are given in order, which is seen without sorting.
    if ranges.windows(2).all(is_before) {
        return Ok(());
    }
    let first_of = |index: usize| ranges.get(index).map_or(0, |range| first(range.extent));
    let order = sorted(ranges.len(), |index| first_of(index).into());
    // Where any two overlap, two neighbours do.
    for (&place, &next) in order.iter().zip(order.iter().skip(1)) {
        let (Some(one), Some(other)) = (ranges.get(place), ranges.get(next)) else {
            continue;
        };
        if first(one.extent) + one.extent.count > first(other.extent) {
            let (one, other) = if place > next {
                (other, one)
            } else {
                (one, other)
            };
            return Err(format!(
                "ranges {one} and {other} overlap on the {side} side"
            ));
        }
    }
    Ok(())
}

/// Makes one of extents that touch, wherever they stand; it stands where the first of them stood.
fn merged(extents: &[Extent]) -> Vec<Extent> {
    let mut merged: Vec<(usize, Extent)> = Vec::new();
    let inside = |index: usize| extents.get(index).map_or(0, |extent| extent.inside.into());
    for place in sorted(extents.len(), inside) {
        let Some(&extent) = extents.get(place) else {
            continue;
        };
        match merged.last_mut() {
            Some((first_place, last)) if last.touches(extent) => {
                last.count += extent.count;
                *first_place = place.min(*first_place);
            }
            _ => merged.push((place, extent)),
        }
    }
    let first_place = |index: usize| merged.get(index).map_or(0, |(place, _)| *place as u64);
    let order = sorted(merged.len(), first_place);
    let extents = order.into_iter().filter_map(|index| merged.get(index));
    extents.map(|(_, extent)| *extent).collect()
}

#[cfg(test)]
mod tests;
