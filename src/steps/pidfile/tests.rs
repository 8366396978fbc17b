//! The places of a PID file, and what becomes of the files there.

use std::fs;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;

use super::*;

fn place() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory of ours")
}

fn open(path: &Path) -> Pidfile {
    Pidfile::open(path.as_os_str()).expect("a place for it")
}

/// The files in a directory, with what is in them.
fn files(place: &tempfile::TempDir) -> Vec<(String, String)> {
    let mut files: Vec<_> = fs::read_dir(place.path())
        .expect("our directory")
        .map(|entry| {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_str().expect("letters");
            // A FIFO would be waited for.
            let is_file = fs::symlink_metadata(&path).expect("it").is_file();
            let text = is_file.then(|| fs::read_to_string(&path).expect("letters"));
            (name.to_owned(), text.unwrap_or_default())
        })
        .collect();
    files.sort();
    files
}

fn has(place: &tempfile::TempDir, expected: &[(&str, &str)]) {
    let expected: Vec<_> = expected
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect();
    assert_eq!(files(place), expected);
}

fn mkfifo(path: &Path) {
    nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).expect("a FIFO");
}

#[test]
fn a_new_file_stays_once_the_program_starts_and_goes_when_it_does_not() {
    let place = place();
    let mut file = open(&place.path().join("pid"));
    file.write(77).expect("written");
    has(&place, &[("pid", "77\n")]);
    let mode = fs::metadata(file.path()).expect("the file").permissions();
    assert_eq!(mode.mode() & 0o7133, 0, "nobody else writes it");
    file.undo();
    has(&place, &[]);
    file.write(78).expect("written");
    file.keep();
    // What is decided is not taken back.
    file.undo();
    has(&place, &[("pid", "78\n")]);
}

#[test]
fn what_was_there_goes_once_the_program_starts_and_comes_back_when_it_does_not() {
    let place = place();
    let path = place.path().join("pid");
    fs::write(&path, "old\n").expect("written");
    let mut file = open(&path);
    file.write(77).expect("written");
    has(&place, &[(".nskit-pid.77.0", "old\n"), ("pid", "77\n")]);
    file.undo();
    has(&place, &[("pid", "old\n")]);
    file.write(78).expect("written");
    file.keep();
    has(&place, &[("pid", "78\n")]);
}

#[test]
fn what_somebody_else_puts_there_meanwhile_is_theirs() {
    for was_there in [false, true] {
        let place = place();
        let path = place.path().join("pid");
        let mut file = open(&path);
        let mut written = |meanwhile: &dyn Fn()| {
            let _ = fs::remove_file(&path);
            if was_there {
                fs::write(&path, "old\n").expect("written");
            }
            file.write(77).expect("written");
            meanwhile();
            file.undo();
        };
        // A file that is there beside ours has another inode than ours.
        written(&|| {
            fs::write(place.path().join("other"), "theirs\n").expect("written");
            fs::rename(place.path().join("other"), &path).expect("put there");
        });
        has(&place, &[("pid", "theirs\n")]);
        written(&|| fs::remove_file(&path).expect("removed"));
        has(&place, &[]);
    }
}

#[test]
fn names_that_were_left_behind_are_passed_over() {
    let place = place();
    let left = |number: i32| place.path().join(format!(".nskit-pid.77.{number}"));
    fs::write(left(0), "left\n").expect("written");
    let mut file = open(&place.path().join("pid"));
    file.write(77).expect("written");
    file.keep();
    has(&place, &[(".nskit-pid.77.0", "left\n"), ("pid", "77\n")]);
    for number in 1..100 {
        fs::write(left(number), "").expect("written");
    }
    let failed = file.write(77).expect_err("no name is left");
    assert_eq!(failed.raw(), libc::EEXIST);
    assert_eq!(files(&place).len(), 101);
    assert_eq!(files(&place).pop(), Some(("pid".into(), "77\n".into())));
}

#[test]
fn what_is_no_name_that_exists_is_an_error_at_once() {
    let tried = std::cell::Cell::new(0);
    let failed = beside(77, |_| -> sys::Result<()> {
        tried.set(tried.get() + 1);
        Err(error(libc::EROFS))
    });
    assert_eq!(failed.map_err(sys::Error::raw), Err(libc::EROFS));
    assert_eq!(tried.get(), 1);
}

/// What comes there between the opening and the writing, and is no file, stays there.
#[test]
fn no_file_at_the_place_meanwhile() {
    type Make = fn(&Path);
    let makes: [Make; 3] = [
        mkfifo,
        |path| fs::create_dir(path).expect("a directory"),
        |path| symlink("elsewhere", path).expect("a link"),
    ];
    for make in makes {
        let place = place();
        let path = place.path().join("pid");
        let mut file = open(&path);
        make(&path);
        let is = |path: &Path| fs::symlink_metadata(path).expect("it").file_type();
        let before = is(&path);
        let failed = file.write(77).expect_err("nothing of ours to replace");
        assert_eq!(failed.raw(), libc::EPERM);
        assert_eq!(is(&path), before);
        file.undo();
        has(&place, &[("pid", "")]);
        // The same where the two cannot change their names.
        fs::write(place.path().join("new"), "77\n").expect("written");
        let failed = file.put_by_links(77, "new".as_ref()).expect_err("likewise");
        assert_eq!(failed.raw(), libc::EPERM);
        assert_eq!(is(&path), before);
        has(&place, &[("new", "77\n"), ("pid", "")]);
    }
}

#[test]
fn where_two_files_cannot_change_their_names() {
    let place = place();
    let path = place.path().join("pid");
    let file = open(&path);
    let new = || fs::write(place.path().join("new"), "77\n").expect("written");
    new();
    let kept = file.put_by_links(77, "new".as_ref()).expect("put");
    assert_eq!(kept, None);
    has(&place, &[("pid", "77\n")]);
    fs::write(&path, "old\n").expect("written");
    new();
    let kept = file.put_by_links(77, "new".as_ref()).expect("put");
    assert_eq!(kept, Some(".nskit-pid.77.0".into()));
    has(&place, &[(".nskit-pid.77.0", "old\n"), ("pid", "77\n")]);
}

#[test]
fn errors_stay_what_they_are() {
    let place = place();
    let file = open(&place.path().join("pid"));
    let put = file.put(77, "no-such-file".as_ref());
    assert_eq!(put.map_err(sys::Error::raw), Err(libc::ENOENT));
    let long = "x".repeat(300);
    let is = file.is(long.as_ref(), (0, 0));
    assert_eq!(is.map_err(sys::Error::raw), Err(libc::ENAMETOOLONG));
    let of = |path: &Path| {
        let failure = Pidfile::open(path.as_os_str()).expect_err("no place for it");
        failure.error.map(|error| error.raw())
    };
    assert_eq!(of(&place.path().join(long)), Some(libc::ENAMETOOLONG));
    assert_eq!(of(&place.path().join("no/pid")), Some(libc::ENOENT));
    assert_eq!(of(place.path()), Some(libc::EISDIR));
    let looped = place.path().join("looped");
    symlink("looped", &looped).expect("a link");
    assert_eq!(of(&looped), Some(libc::ELOOP));
}

#[test]
fn links_are_followed_to_their_end() {
    let place = place();
    let at = |name: &str| place.path().join(name);
    fs::create_dir(at("run")).expect("a directory");
    symlink("run/second", at("first")).expect("a link");
    // From its own directory on.
    symlink("third", at("run/second")).expect("a link");
    for text in ["77\n", "78\n"] {
        let mut file = open(&at("first"));
        file.write(text.trim().parse().expect("a PID"))
            .expect("written");
        file.keep();
        assert_eq!(fs::read_to_string(at("run/third")).expect("a file"), text);
        assert_eq!(file.path(), at("first"));
    }
    assert_eq!(fs::read_dir(at("run")).expect("ours").count(), 2);
    assert!(fs::symlink_metadata(at("first")).expect("it").is_symlink());
}

#[test]
fn what_is_no_regular_file_is_named() {
    let place = place();
    let at = |name: &str| place.path().join(name);
    let said = |path: &Path| {
        let failure = Pidfile::open(path.as_os_str()).expect_err("nothing to replace");
        let line = failure.line.to_str().expect("letters").to_owned();
        let of = format!("--pidfile: {} is a ", path.display());
        line.strip_prefix(&of).expect(&line).to_owned()
    };
    mkfifo(&at("fifo"));
    let _socket = UnixListener::bind(at("socket")).expect("a socket");
    let opened = fs::File::create(at("opened")).expect("a file");
    assert_eq!(said(&at("fifo")), "FIFO, not a regular file");
    assert_eq!(said(&at("socket")), "socket, not a regular file");
    assert_eq!(
        said("/dev/null".as_ref()),
        "character device, not a regular file"
    );
    let link = format!("/proc/self/fd/{}", opened.as_raw_fd());
    assert_eq!(
        said(link.as_ref()),
        "link to an open file, not a regular file"
    );
    // Its text leads nowhere, and what it is for is told.
    let (pipe, _end) = std::io::pipe().expect("a pipe");
    let link = format!("/proc/self/fd/{}", pipe.as_raw_fd());
    assert_eq!(said(link.as_ref()), "FIFO, not a regular file");
    let other = |mode| match Is::of(mode | 0o777) {
        Is::Other(what) => what,
        is => panic!("{is:?}"),
    };
    assert_eq!(other(libc::S_IFBLK), "block device");
    assert_eq!(other(libc::S_IFLNK), "symbolic link");
}

#[test]
fn what_must_be_done_is_tried_three_times() {
    let tries = |fails: u32| {
        let tried = std::cell::Cell::new(0);
        let done = stubbornly(|| {
            tried.set(tried.get() + 1);
            (tried.get() > fails).then_some(()).ok_or(error(libc::EIO))
        });
        (tried.get(), done.is_ok())
    };
    assert_eq!(tries(0), (1, true));
    assert_eq!(tries(1), (2, true));
    assert_eq!(tries(2), (3, true));
    assert_eq!(tries(3), (3, false));
}

#[test]
fn paths_in_two() {
    let halves = |path: &'static str| {
        let (parent, name) = split(path.as_ref()).map_err(sys::Error::raw)?;
        Ok((parent.to_str().unwrap(), name.to_str().unwrap()))
    };
    assert_eq!(halves("pid"), Ok((".", "pid")));
    assert_eq!(halves("/pid"), Ok(("/", "pid")));
    assert_eq!(halves("/run//x.pid"), Ok(("/run//", "x.pid")));
    assert_eq!(halves("../a/b"), Ok(("../a/", "b")));
    for path in ["/", "a/", "a/.", "a/..", ".", ".."] {
        assert_eq!(halves(path), Err(libc::EISDIR), "{path}");
    }
    assert_eq!(halves(""), Err(libc::ENOENT));
}

#[test]
fn whose_links_are_followed() {
    let stat = |uid, mode| {
        // Of a file of ours, so that all other fields have a value.
        let mut stat = sys::stat("/".as_ref()).unwrap();
        (stat.st_uid, stat.st_mode) = (uid, mode);
        stat
    };
    let me = sys::effective_uid();
    let (other, third) = (me + 1, me + 2);
    let tmp = libc::S_IFDIR | 0o1777;
    for (link, directory, mode, follows) in [
        (other, third, libc::S_IFDIR | 0o755, true),
        (other, third, libc::S_IFDIR | 0o777, true),
        (other, third, libc::S_IFDIR | 0o1775, true),
        (other, third, tmp, false),
        (other, me, tmp, false),
        (other, other, tmp, true),
        (me, other, tmp, true),
    ] {
        let link = stat(link, libc::S_IFLNK | 0o777);
        assert_eq!(may_follow(&link, &stat(directory, mode)), follows);
    }
}
