//! What an ID map must hold, over cases that were seen and over random ones.

use std::collections::BTreeMap;

use proptest::prelude::*;

use crate::model::idmap::*;

const PAGE: usize = 4096;

fn ranges(specs: &[&str]) -> Vec<Range> {
    let extent = |spec: &&str| match RangeSpec::parse(OsStr::new(spec)) {
        Ok(RangeSpec::Extent(extent)) => Range::given(extent),
        other => panic!("{spec}: {other:?}"),
    };
    specs.iter().map(extent).collect()
}

fn map(single: Option<(u32, u32)>, specs: &[&str]) -> Result<String, String> {
    IdMap::new(single, &ranges(specs), PAGE).map(|map| map.to_string())
}

fn subids(first: u32, count: u32) -> SubIds {
    SubIds::find_all(format!("x:{first}:{count}").as_bytes(), &[b"x"], 0)
        .next()
        .unwrap()
}

#[test]
fn range_forms() {
    let parse = |text: &str| RangeSpec::parse(OsStr::new(text));
    let extent = RangeSpec::Extent(Extent {
        inside: 1,
        outside: 100,
        count: 5,
    });
    for text in ["1:100:5", "100,1,5", " 1:+100: 5"] {
        assert_eq!(parse(text), Ok(extent), "{text}");
    }
    assert_eq!(parse("auto"), Ok(RangeSpec::Auto));
    assert_eq!(parse("subids"), Ok(RangeSpec::SubIds));
    assert_eq!(parse("all"), Ok(RangeSpec::All));
    for text in [
        "",
        "aut",
        "ALL",
        "auto,auto",
        "1",
        "1:2",
        "1:2:3:",
        "1:2:3:4",
        "1:2,3",
        "1:2:3 ",
        "1::3",
        "-1:2:3",
    ] {
        assert!(parse(text).is_err(), "{text:?}");
    }
    assert_eq!(
        parse("foo"),
        Err("'foo' is not one of inner:outer:count, auto, subids, all".to_owned())
    );
    assert_eq!(
        parse("0:4294967296:1"),
        Err(
            "'4294967296' is not a number from 0 to 4294967295 (in range '0:4294967296:1')"
                .to_owned()
        )
    );
    assert_eq!(
        parse("0:7:0"),
        Err("range 0:7:0 has a count of 0".to_owned())
    );
    assert_eq!(
        parse("0:4294967290:6"),
        Err(
            "range 0:4294967290:6 ends past ID 4294967294, the last one, on the outer side"
                .to_owned()
        )
    );
    assert!(
        parse("4294967295:0:1")
            .unwrap_err()
            .ends_with("on the inner side")
    );
    assert!(parse("0:0:4294967295").is_ok());
}

/// What util-linux 2.43 was seen to write for the same options, where that is right.
#[test]
fn as_util_linux_writes_it() {
    for (single, specs, expected) in [
        (
            Some((5, 0)),
            &["0:1000:10"][..],
            "5 0 1\n0 1000 5\n6 1005 4\n",
        ),
        (Some((5, 0)), &["0:0:10"], "5 0 1\n0 1 5\n6 6 4\n"),
        (Some((9, 0)), &["0:0:10"], "9 0 1\n0 1 9\n"),
        (Some((20, 0)), &["0:0:10"], "20 0 1\n0 1 9\n"),
        (Some((5, 0)), &["100:0:10"], "5 0 1\n100 1 9\n"),
        (Some((0, 0)), &["0:1:1"], "0 0 1\n"),
        (Some((5, 0)), &["0:0:1"], "5 0 1\n"),
        (Some((1, 0)), &["0:0:2"], "1 0 1\n0 1 1\n"),
        (
            Some((2, 0)),
            &["0:100:5", "10:200:5"],
            "2 0 1\n0 100 2\n3 102 2\n10 200 5\n",
        ),
        (
            Some((2, 0)),
            &["0:100:5", "5:200:5"],
            "2 0 1\n0 100 2\n3 102 2\n5 200 5\n",
        ),
        (
            Some((2, 0)),
            &["10:0:5", "0:100:5"],
            "2 0 1\n10 1 4\n0 100 2\n3 102 2\n",
        ),
        (Some((20, 9)), &["0:0:10"], "20 9 1\n0 0 9\n"),
        (Some((8, 9)), &["0:0:10"], "8 9 1\n0 0 8\n9 8 1\n"),
        (Some((20, 9)), &["0:5:10"], "20 9 1\n0 5 4\n4 10 5\n"),
        (Some((0, 0)), &["0:0:4294967295"], "0 0 1\n1 1 4294967294\n"),
        (None, &["0:100:5", "10:0:5"], "0 100 5\n10 0 5\n"),
    ] {
        assert_eq!(
            map(single, specs).as_deref(),
            Ok(expected),
            "{single:?} {specs:?}"
        );
    }
}

#[test]
fn auto_makes_room_for_the_single_id_and_loses_none() {
    for (single, expected) in [
        ((0, 1000), "0 1000 1\n1 100000 65536\n"),
        ((5, 1000), "5 1000 1\n0 100000 5\n6 100005 65531\n"),
        (
            (65535, 1000),
            "65535 1000 1\n0 100000 65535\n65536 165535 1\n",
        ),
        ((70000, 1000), "70000 1000 1\n0 100000 65536\n"),
    ] {
        let auto = [Range::auto(subids(100_000, 65536))];
        let map = IdMap::new(Some(single), &auto, PAGE).unwrap();
        assert_eq!(map.to_string(), expected);
    }
    // Where somebody else has the ID above, one is lost after all.
    let crowded = [
        Range::auto(subids(100_000, 10)),
        Range::given(Extent::new(10, 7, 1).unwrap()),
    ];
    let map = IdMap::new(Some((0, 1000)), &crowded, PAGE).unwrap();
    assert_eq!(map.to_string(), "0 1000 1\n1 100000 9\n10 7 1\n");
}

#[test]
fn auto_alone_loses_none() {
    let auto = [Range::auto(subids(100_000, 65536))];
    assert_eq!(
        IdMap::new(None, &auto, PAGE).unwrap().to_string(),
        "0 100000 65536\n"
    );
    let auto = [Range::auto(subids(0, u32::MAX))];
    assert_eq!(
        IdMap::new(None, &auto, PAGE).unwrap().to_string(),
        "0 0 4294967295\n"
    );
}

#[test]
fn ranges_that_touch_stay_apart() {
    for specs in [
        &["0:100:5", "5:105:5"][..],
        &["5:105:5", "50:0:1", "0:100:5"],
        &["0:100:5", "5:200:5"],
    ] {
        let lines: String = specs
            .iter()
            .map(|spec| spec.replace(':', " ") + "\n")
            .collect();
        assert_eq!(map(None, specs), Ok(lines));
    }
    assert_eq!(
        map(Some((0, 99)), &["1:100:5", "6:105:5"]).as_deref(),
        Ok("0 99 1\n1 100 5\n6 105 5\n")
    );
}

#[test]
fn only_a_map_that_is_too_long_is_merged() {
    let line = |n: u32| {
        Range::given(Extent {
            inside: n + 10,
            outside: n + 1010,
            count: 1,
        })
    };
    let touching = |count: u32| -> Vec<Range> { (0..count).map(line).collect() };
    let large_page = 65536;
    let of = |single, count, page| {
        IdMap::new(single, &touching(count), page).map(|map| map.extents().to_vec())
    };
    assert_eq!(of(None, 340, large_page).unwrap().len(), 340);
    assert_eq!(
        of(None, 341, large_page).unwrap(),
        [Extent::new(10, 1010, 341).unwrap()]
    );
    // The single ID is one of the 340, and stays alone.
    let single = Some((9, 1009));
    assert_eq!(of(single, 339, large_page).unwrap().len(), 340);
    assert_eq!(
        of(single, 340, large_page).unwrap(),
        [
            Extent::new(9, 1009, 1).unwrap(),
            Extent::new(10, 1010, 340).unwrap()
        ]
    );
    // A page that is just large enough, and one that is not.
    let length = IdMap::new(None, &touching(100), large_page).unwrap().text();
    assert_eq!(of(None, 100, length.len() + 1).unwrap().len(), 100);
    assert_eq!(of(None, 100, length.len()).unwrap().len(), 1);
}

/// The longest line that there can be.
#[test]
fn three_numbers_of_ten_digits_each_are_written() {
    assert_eq!(
        map(None, &["1000000000:2000000000:2000000000"]).as_deref(),
        Ok("1000000000 2000000000 2000000000\n")
    );
}

/// newuidmap refuses `0 1000 11` to user 1000 whose subordinate IDs begin at 1001, but takes both parts.
#[test]
fn the_single_id_stays_alone() {
    assert_eq!(
        map(Some((0, 1000)), &["1:1001:10"]).as_deref(),
        Ok("0 1000 1\n1 1001 10\n")
    );
}

#[test]
fn overlaps_are_named() {
    assert_eq!(
        map(None, &["0:100:5", "20:0:1", "4:200:5"]),
        Err("ranges 0:100:5 and 4:200:5 overlap on the inner side".to_owned())
    );
    assert_eq!(
        map(None, &["0:104:5", "10:100:5"]),
        Err("ranges 0:104:5 and 10:100:5 overlap on the outer side".to_owned())
    );
    let own = [Range::auto(subids(100, 10)), Range::subids(subids(100, 10))];
    assert_eq!(
        IdMap::new(None, &own, PAGE),
        Err("ranges auto 0:100:10 and subids 100:100:10 overlap on the outer side".to_owned())
    );
}

#[test]
fn all_is_what_our_namespace_has() {
    let own = IdMap::parse(
        b"         0       1000          1\n         1     100000          4\n        10  5  5\n",
    );
    let all = Range::all(&own.unwrap());
    assert_eq!(
        IdMap::new(None, &all, PAGE).unwrap().to_string(),
        "0 0 1\n1 1 4\n10 10 5\n"
    );
    assert_eq!(
        IdMap::new(Some((4, 0)), &all, PAGE).unwrap().to_string(),
        "4 0 1\n1 1 3\n10 10 5\n"
    );
    assert_eq!(Range::all(&IdMap::parse(b"").unwrap()), []);
    let initial = IdMap::parse(b"         0          0 4294967295\n").unwrap();
    assert_eq!(Range::all(&initial)[0].to_string(), "all 0:0:4294967295");
    // A map read from a namespace that does not have the outer IDs.
    let foreign = IdMap::parse(b"0 4294967295 10\n").unwrap();
    assert_eq!(foreign.outside_of(3), None);
    assert_eq!(Range::all(&foreign)[0].to_string(), "all 0:0:10");
}

#[test]
fn what_is_no_map() {
    for text in [
        &b"0 0"[..],
        b"0 0 0",
        b"0 0 1 1",
        b"x 0 1",
        b"0 0 4294967296",
        b"1 0 4294967295",
        b"0\t0 1",
        b"-1 0 1",
    ] {
        assert_eq!(IdMap::parse(text), None, "{}", text.escape_ascii());
    }
}

#[test]
fn the_single_id_must_be_one() {
    assert!(map(Some((u32::MAX, 0)), &[]).is_err());
    assert!(map(Some((0, u32::MAX)), &[]).is_err());
    assert_eq!(
        map(Some((LAST_ID, LAST_ID)), &[]).as_deref(),
        Ok("4294967294 4294967294 1\n")
    );
}

/// Ranges that neither overlap nor touch: every second ID.
fn scattered(count: u32) -> Vec<Range> {
    let extent = |n| {
        Range::given(Extent {
            inside: 2 * n,
            outside: 2 * n,
            count: 1,
        })
    };
    (0..count).map(extent).collect()
}

#[test]
fn at_most_340_extents() {
    let large_page = 65536;
    assert_eq!(
        IdMap::new(None, &scattered(340), large_page)
            .unwrap()
            .extents()
            .len(),
        340
    );
    assert_eq!(
        IdMap::new(None, &scattered(341), large_page),
        Err("the ID map has 341 extents; the kernel takes at most 340".to_owned())
    );
    // A thousand that touch are one.
    let line = |n| {
        Range::given(Extent {
            inside: n,
            outside: n + 7,
            count: 1,
        })
    };
    let touching: Vec<Range> = (0..1000).map(line).collect();
    assert_eq!(
        IdMap::new(None, &touching, PAGE).unwrap().to_string(),
        "0 7 1000\n"
    );
}

#[test]
fn less_than_one_page() {
    let map = IdMap::new(None, &scattered(340), 65536).unwrap();
    let length = map.text().len();
    assert_eq!(IdMap::new(None, &scattered(340), length + 1), Ok(map));
    assert_eq!(
        IdMap::new(None, &scattered(340), length),
        Err(format!(
            "the ID map is {length} bytes long; the kernel takes less than one page, {length} bytes"
        ))
    );
}

/// Every pair (inside, outside) of these extents; panics unless they are one to one.
fn pairs(extents: &[Extent]) -> BTreeMap<u32, u32> {
    let mut pairs = BTreeMap::new();
    let mut outside = std::collections::BTreeSet::new();
    for extent in extents {
        for n in 0..extent.count {
            assert_eq!(
                pairs.insert(extent.inside + n, extent.outside + n),
                None,
                "two of one inner ID"
            );
            assert!(outside.insert(extent.outside + n), "two of one outer ID");
        }
    }
    pairs
}

/// What is left of a range, ID by ID, as the rule says it.
fn left_of(extent: Extent, single: Option<(u32, u32)>) -> Vec<(u32, u32)> {
    let inner = (extent.inside..extent.inside + extent.count)
        .filter(|id| single.is_none_or(|one| one.0 != *id));
    let outer = (extent.outside..extent.outside + extent.count)
        .filter(|id| single.is_none_or(|one| one.1 != *id));
    inner.zip(outer).collect()
}

/// Up to twelve ranges that do not overlap; the outer ones are a permutation of places, so that some touch.
fn some_ranges() -> impl Strategy<Value = Vec<Range>> {
    let parts = prop::collection::vec((1_u32..8, 0_u32..2, 0_u32..2, any::<u16>()), 0..12);
    (
        parts,
        any::<bool>(),
        prop::sample::select(vec![0, 1000, LAST_ID - 300]),
    )
        .prop_map(|(parts, shuffle, base)| {
            let mut inside = base;
            let mut extents: Vec<(u16, Extent)> = Vec::new();
            for (count, gap, _, place) in &parts {
                extents.push((
                    *place,
                    Extent {
                        inside,
                        outside: 0,
                        count: *count,
                    },
                ));
                inside += count + gap;
            }
            if shuffle {
                extents.sort_by_key(|(place, _)| *place);
            }
            let mut outside = 0;
            for ((_, extent), (_, _, gap, _)) in extents.iter_mut().zip(&parts) {
                extent.outside = outside;
                outside += extent.count + gap;
            }
            extents
                .into_iter()
                .map(|(_, extent)| Range::given(extent))
                .collect()
        })
}

fn some_single() -> impl Strategy<Value = Option<(u32, u32)>> {
    let inside = prop_oneof![0_u32..100, 1000_u32..1100, LAST_ID - 300..=LAST_ID];
    prop::option::of((inside, 0_u32..100))
}

proptest! {
    #[test]
    fn one_to_one_and_as_the_rule_says(ranges in some_ranges(), single in some_single()) {
        let map = IdMap::new(single, &ranges, PAGE).unwrap();
        let mapped = pairs(map.extents());

        let mut expected: BTreeMap<u32, u32> = single.into_iter().collect();
        expected.extend(ranges.iter().flat_map(|range| left_of(range.extent, single)));
        prop_assert_eq!(&mapped, &expected);

        if let Some((inside, outside)) = single {
            prop_assert_eq!(mapped.get(&inside), Some(&outside));
        }
        for (inside, outside) in &mapped {
            prop_assert_eq!(map.outside_of(*inside), Some(*outside));
        }
        let outer: Vec<u32> = mapped.values().copied().collect();
        for Range { extent, .. } in &ranges {
            let inner_lost = (extent.inside..extent.inside + extent.count)
                .filter(|id| !mapped.contains_key(id)).count();
            let outer_lost = (extent.outside..extent.outside + extent.count)
                .filter(|id| !outer.contains(id)).count();
            prop_assert!(inner_lost <= 1 && outer_lost <= 1 && inner_lost + outer_lost <= 1);
        }
    }

    #[test]
    fn merged_all_the_way(ranges in some_ranges()) {
        let before: Vec<Extent> = ranges.iter().map(|range| range.extent).collect();
        let after = merged(&before);
        prop_assert_eq!(pairs(&after), pairs(&before));
        for one in &after {
            prop_assert!(!after.iter().any(|other| one.touches(*other)));
        }
        prop_assert_eq!(merged(&after), after);
    }

    #[test]
    fn overlaps_are_found(ranges in prop::collection::vec((0_u32..60, 0_u32..60, 1_u32..12), 0..6)) {
        let ranges: Vec<Range> = ranges.into_iter()
            .map(|(inside, outside, count)| Range::given(Extent { inside, outside, count }))
            .collect();
        let ids = |first: fn(&Extent) -> u32| {
            let mut ids: Vec<u32> = ranges.iter()
                .flat_map(|range| first(&range.extent)..first(&range.extent) + range.extent.count)
                .collect();
            let all = ids.len();
            ids.sort_unstable();
            ids.dedup();
            ids.len() == all
        };
        let apart = ids(|extent| extent.inside) && ids(|extent| extent.outside);
        prop_assert_eq!(IdMap::new(None, &ranges, PAGE).is_ok(), apart);
    }

    #[test]
    fn what_is_written_is_what_is_read(ranges in some_ranges(), single in some_single()) {
        let map = IdMap::new(single, &ranges, PAGE).unwrap();
        prop_assert_eq!(IdMap::parse(&map.text()), Some(map));
    }

    #[test]
    fn any_numbers_do(numbers: (u32, u32, u32), single: (u32, u32)) {
        let text = format!("{}:{}:{}", numbers.0, numbers.1, numbers.2);
        if let Ok(RangeSpec::Extent(extent)) = RangeSpec::parse(OsStr::new(&text)) {
            prop_assert_eq!(extent.to_string(), text);
            if let Ok(map) = IdMap::new(Some(single), &[Range::given(extent)], PAGE) {
                let total: u64 = map.extents().iter().map(|extent| u64::from(extent.count)).sum();
                prop_assert!((u64::from(extent.count)..=u64::from(extent.count) + 1).contains(&total));
                prop_assert_eq!(map.outside_of(single.0), Some(single.1));
            }
        }
    }

    #[test]
    fn any_bytes_do(bytes: Vec<u8>) {
        if let Some(map) = IdMap::parse(&bytes) {
            prop_assert_eq!(IdMap::parse(&map.text()), Some(map));
        }
        if let Err(why) = RangeSpec::parse(OsStr::from_bytes(&bytes)) {
            prop_assert!(!why.chars().any(char::is_control));
        }
    }
}
