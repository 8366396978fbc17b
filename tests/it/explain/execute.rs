//! Why a program could not be executed.

use super::*;

fn failed(file: &str, error: &str) -> String {
    format!("unshare: failed to execute {file}: {error}")
}

#[test]
fn an_interpreter_that_is_not_there() {
    needs!(explains());
    let place = Place::new();
    let script = place.script("script", "#! /no/such/python9 -u\n");
    why(Tool::unshare().arg(&script))
        .of(&failed(&script, ENOENT))
        .because(
            &format!("{script} is there, but not /no/such/python9, the interpreter of its #! line"),
            "install the interpreter",
        )
        .only(1)
        .ran
        .exits(127);
    // The same of a child, and of one that --init stays in front of.
    for words in ["-f", "-Urpf --init"] {
        why(Tool::unshare().line(words).arg(&script))
            .because("/no/such/python9", "")
            .only(1)
            .ran
            .exits(127);
    }
}

#[test]
fn a_script_from_another_system() {
    needs!(explains());
    let place = Place::new();
    let script = place.script("script", "#!/bin/sh\r\necho\r\n");
    why(Tool::unshare().arg(&script))
        .of(&failed(&script, ENOENT))
        .because("ends with a carriage return", "sed -i")
        .only(1);
}

/// A root directory with nothing in it but this program.
fn bare(place: &Place, program: &str) -> String {
    let root = place.subdir("root");
    let copied = std::process::Command::new("cp")
        .arg(find(program).expect("a program of every system"))
        .arg(&root)
        .status()
        .expect("cp starts");
    assert!(copied.success());
    root
}

#[test]
fn a_loader_that_is_not_there() {
    needs!(root(), explains());
    let place = Place::new();
    let root = bare(&place, "cat");
    let tool = || Tool::unshare().arg("-R").arg(&root);
    why(tool().arg("/cat"))
        .of(&failed("/cat", ENOENT))
        .because(
            "/cat is there, but not /",
            "put the loader and its libraries into this root directory",
        )
        .because("the loader that its ELF header names", "")
        .only(1);
    // The interpreter is there, and its loader is not.
    place.script("root/script", "#!/cat\n");
    why(tool().arg("/script"))
        .of(&failed("/script", ENOENT))
        .because("/cat is there, but not /", "loader")
        .only(1);
}

#[test]
fn no_shell_for_a_script_without_a_first_line() {
    needs!(root(), explains());
    let place = Place::new();
    let root = place.subdir("root");
    place.script("root/script", "echo\n");
    why(Tool::unshare().arg("-R").arg(&root).arg("/script"))
        .of(&failed("/script", ENOENT))
        .because(
            "/script has no #! line and is no ELF file, so /bin/sh is to run it",
            "#! line",
        )
        .only(1);
}

#[test]
fn what_fits_the_callers_root_only() {
    needs!(root(), explains());
    let place = Place::new();
    let root = place.subdir("root");
    let tool = || Tool::unshare().arg("-R").arg(&root);
    why(tool().arg("ls"))
        .of(&failed("ls", ENOENT))
        .because(
            "ls is not in this root directory in any directory of PATH, which is the caller's",
            "set PATH",
        )
        .only(1);
    why(tool().env("SHELL", "/bin/zsh"))
        .of(&failed("/bin/zsh", ENOENT))
        .because("the shell is the caller's (SHELL is /bin/zsh)", "/bin/sh")
        .only(1);
    let holder = Holder::unshare("-m");
    why(Tool::nsenter()
        .args(["-t", &holder.pid().to_string(), "-m", "ls"])
        .env("PATH", "/opt/nowhere"))
    .of(&format!("nsenter: failed to execute ls: {ENOENT}"))
    .because("PATH, which is the caller's (/opt/nowhere)", "--env")
    .only(1);
}

#[test]
fn a_program_that_is_not_there() {
    needs!(explains());
    why(Tool::unshare()
        .arg("no-such-program")
        .env("PATH", "/bin:/sbin"))
    .of(&failed("no-such-program", ENOENT))
    .because(
        "no-such-program is in no directory of PATH (/bin:/sbin)",
        "install it",
    )
    .only(1);
    why(Tool::unshare().arg("/etc/no/such"))
        .of(&failed("/etc/no/such", ENOENT))
        .because("there is no /etc/no", "")
        .only(1);
    why(Tool::unshare().arg("/etc/passwd/such"))
        .of(&failed("/etc/passwd/such", "Not a directory"))
        .because("/etc/passwd is no directory", "")
        .only(1);
    why(Tool::unshare().arg(""))
        .of(&failed("", ENOENT))
        .because("the program's name is empty", "")
        .only(1);
}

#[test]
fn what_is_no_program() {
    needs!(explains());
    why(Tool::unshare().arg("/etc"))
        .of(&failed("/etc", EACCES))
        .because("/etc is a directory", "")
        .only(1)
        .ran
        .exits(126);
    why(Tool::unshare().arg("/dev/null"))
        .of(&failed("/dev/null", EACCES))
        .because("/dev/null is no regular file", "")
        .only(1);
}

#[test]
fn a_mount_without_execution() {
    needs!(root(), explains());
    let place = Place::new();
    let dir = place.path().display().to_string();
    why(Tool::fixture().line("-m").sh(&format!(
        "mount -t tmpfs -o noexec tmpfs {dir} && cp /bin/true {dir}/true && exec unshare {dir}/true"
    )))
    .of(&failed(&format!("{dir}/true"), EACCES))
    .because(&format!("{dir}/true lies on a mount with noexec"), "noexec")
    .only(1);
}

#[test]
fn permissions() {
    needs!(root(), explains());
    let place = Place::new();
    let mode = |path: &str, mode| {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        std::fs::set_permissions(path, mode).expect("our file");
    };
    let file = place.file("file", "#!/bin/sh\n");
    mode(&file, 0o644);
    why(Tool::unshare().arg(&file))
        .of(&failed(&file, EACCES))
        .because(
            &format!("{file} has no x bit (its mode is 0644)"),
            "chmod +x",
        )
        .only(1);
    mode(&file, 0o700);
    why(Tool::unshare().arg(&file).by_ordinary())
        .of(&failed(&file, EACCES))
        .because(
            "has no x bit for us (its mode is 0700, its owner 0:0)",
            "chmod a+x",
        )
        .only(1);
    let dir = place.subdir("dir");
    place.script("dir/program", "#!/bin/sh\n");
    mode(&dir, 0o700);
    why(Tool::unshare().arg(format!("{dir}/program")).by_ordinary())
        .of(&failed(&format!("{dir}/program"), EACCES))
        .because(&format!("we may not search {dir}"), "")
        .only(1);
    let interpreter = place.file("interpreter", "");
    mode(&interpreter, 0o644);
    let script = place.script("script", &format!("#!{interpreter}\n"));
    why(Tool::unshare().arg(&script))
        .of(&failed(&script, EACCES))
        .because(
            &format!("{interpreter}, which {script} needs, may not be executed"),
            "chmod +x",
        )
        .only(1);
}

#[test]
fn a_limit_on_processes_that_a_change_of_user_exceeds() {
    needs!(root(), explains(), command("prlimit"));
    let _other = Holder::of(Tool::program("env").by_ordinary(), "");
    why(Tool::program("prlimit")
        .arg("--nproc=0")
        .arg(Tool::path_of("unshare"))
        .args(["-S", &ORDINARY.to_string(), "true"]))
    .of(&failed("true", "Resource temporarily unavailable"))
    .because("RLIMIT_NPROC (0)", "prlimit --nproc")
    .only(1);
}

#[test]
fn a_program_that_is_being_written() {
    needs!(explains());
    let place = Place::new();
    let dir = place.path().display().to_string();
    why(Tool::shell(&format!(
        "cp /bin/true {dir}/true && exec unshare {dir}/true 3>>{dir}/true"
    )))
    .of(&failed(&format!("{dir}/true"), "Text file busy"))
    .because("somebody has", "fuser")
    .only(1);
}

#[test]
fn links_in_a_circle() {
    needs!(explains());
    let place = Place::new();
    let (one, other) = (place.at("one"), place.at("other"));
    std::os::unix::fs::symlink(&other, &one).expect("a link");
    std::os::unix::fs::symlink(&one, &other).expect("a link");
    why(Tool::unshare().arg(&one))
        .of(&failed(&one, "Too many levels of symbolic links"))
        .because("symbolic links lead in a circle", "")
        .only(1);
}

#[test]
fn odd_names_stay_on_their_line() {
    needs!(explains());
    let told = why(Tool::unshare().arg("/no\nsuch"));
    assert_eq!(told.causes.len(), 1, "{}", told.ran);
    assert!(told.causes[0].0.contains(r"$'/no\nsuch'"), "{}", told.ran);
}

#[test]
fn a_program_of_no_form() {
    needs!(root(), explains());
    let place = Place::new();
    place.subdir("bin");
    for name in ["x", "bin/sh"] {
        place.script(name, "x");
    }
    why(Tool::unshare().args(["-R", &place.at("."), "/x"]))
        .of(&failed("/x", "Exec format error"))
        .because(
            "the kernel can execute neither /x nor /bin/sh",
            "a program for this machine",
        )
        .only(1);
}

/// The mode shows the mask of an access control list, and not what it says of a user.
#[test]
fn a_program_that_an_access_control_list_refuses() {
    needs!(root(), explains(), command("python3"));
    let place = Place::new().owned_by_ordinary();
    let file = place.script("x", "exit 0");
    let set = format!(
        "import os, struct\n\
         entries = [(1, 7, -1), (2, 0, {ORDINARY}), (4, 5, -1), (16, 5, -1), (32, 5, -1)]\n\
         value = struct.pack('<I', 2) + b''.join(struct.pack('<HHi', *entry) for entry in entries)\n\
         os.chown('{file}', 0, 0)\n\
         os.chmod('{file}', 0o755)\n\
         os.setxattr('{file}', 'system.posix_acl_access', value)"
    );
    Tool::program("python3").arg("-c").arg(set).run().ok();
    why(Tool::unshare().arg("-r").arg(&file).by_ordinary())
        .of(&format!("unshare: failed to execute {file}: {EACCES}"))
        .because("none of those known", "")
        .only(1);
}
