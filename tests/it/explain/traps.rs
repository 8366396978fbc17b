//! Command lines that are taken for something else than was meant: the classic line stays, and what was meant is said.

use super::*;

#[test]
fn a_namespace_file_behind_a_blank() {
    needs!(root(), explains());
    let hint = "--net=/run/netns/x";
    why(Tool::unshare().line("-n /run/netns/x true"))
        .because("/run/netns/x was taken for the program", hint)
        .only(1);
    let told = why(Tool::nsenter().line("-n /run/netns/x"))
        .because("the value of --net must be attached", hint)
        .only(1);
    assert_eq!(told.ran.ended, Ended::Exited(1));
    // A program of a target's that is not there is nothing of the kind, nor is one behind `--`.
    why(Tool::unshare().line("-n /no/such true")).because("there is no /no", "");
    why(Tool::unshare().line("-n -- /run/netns/x")).because("there is no", "");
    // What was said is what works.
    let holder = Holder::unshare("-u");
    let file = holder.file("uts");
    let hint = why(Tool::nsenter().line(&format!("-u {file} true"))).hint_of("must be attached");
    Tool::nsenter().arg(hint).arg("true").run().ok();
}

#[test]
fn a_process_without_a_kind() {
    needs!(root(), explains());
    let holder = Holder::unshare("-u");
    let pid = holder.pid().to_string();
    let target = || Tool::nsenter().args(["-t", &pid]);
    let added = why(target().arg("true")).to_add("no option names what is entered");
    target().args(&added).arg("true").run().ok();
    let bare = why(Tool::nsenter().arg(&pid)).hint_of("was taken for the program");
    assert_eq!(bare, format!("add -t {pid} -a for all of its namespaces"));
    why(Tool::nsenter().args(["-n", &pid])).because("named with -t", &format!("add -t {pid}"));
}

#[test]
fn a_process_by_its_name() {
    needs!(explains());
    why(Tool::nsenter().line("-t firefox -a true"))
        .because("firefox is none", "pgrep -o firefox")
        .only(1);
}

#[test]
fn options_behind_a_reference() {
    needs!(root(), explains());
    why(Tool::setns().line("net=self --fork true"))
        .because("--fork was taken for the program", "setns --fork net=self")
        .only(1);
    Tool::setns().line("--fork net=self true").run().ok();
}

#[test]
fn nothing_is_said_where_nobody_asks() {
    needs!(explains());
    let ran = Tool::nsenter().line("-t firefox -a true").run().exits(1);
    assert_eq!(
        String::from_utf8_lossy(&ran.stderr).lines().count(),
        1,
        "{ran}"
    );
    Tool::nsenter()
        .line("--explain -t firefox -a true")
        .run()
        .err_has("\n  cause: ");
}

#[test]
fn forms_of_a_reference() {
    needs!(explains());
    let ran = Tool::setns().line("nonsense true").run().exits(125);
    assert_eq!(
        String::from_utf8_lossy(&ran.stderr).lines().count(),
        1,
        "{ran}"
    );
    let mut terminal = Terminal::shell();
    terminal.types("setns nonsense true");
    terminal.expect("setns: 'nonsense' names no namespace; understood are:");
    terminal.expect("  netns:NAME\r\n");
    terminal.expect("[125]ready> ");
}
