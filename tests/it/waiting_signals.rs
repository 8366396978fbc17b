//! SIGINT and SIGQUIT while a forked program runs: the terminal sends them to the program too, whose affair they are;
//! somebody who sends them to the waiting parent alone means that one.

use crate::harness::*;

/// A program that ends with this status when the signal has come, having said that it waits for it.
fn until(signal: &str, status: u8) -> String {
    format!("trap \"exit {status}\" {signal}; echo it wai\"\"ts; while :; do sleep 0.01; done")
}

/// The ways to run a program in the foreground of a terminal, with a parent that waits.
fn ways(holder: &Option<Holder>) -> Vec<String> {
    let mut ways = vec!["unshare --fork".to_owned()];
    if let Some(holder) = holder {
        ways.push("unshare -p --kill-child".to_owned());
        ways.push("unshare --init".to_owned());
        ways.push("unshare --init=group".to_owned());
        ways.push(format!("nsenter -t {} -p", holder.pid()));
        ways.push(format!("nsenter -t {} -n --kill-child", holder.pid()));
    }
    ways
}

#[test]
fn what_the_terminal_sends_is_the_programs_affair() {
    needs!(command("bash"), ours("dies of SIGQUIT itself"));
    let holder = is_root().then(|| Holder::unshare("-npf"));
    for way in ways(&holder) {
        for (key, signal, status) in [('c', "INT", 5), ('\\', "QUIT", 6)] {
            let mut terminal = Terminal::shell();
            terminal.types("ulimit -c 0");
            terminal.types(&format!("{way} sh -c '{}'", until(signal, status)));
            terminal.expect("it waits");
            terminal.control(key);
            terminal.expect(&format!("[{status}]ready> "));
            terminal.types("jobs; echo status $?");
            assert_eq!(terminal.expect("status 0").trim(), "", "{way} {signal}");
        }
    }
}
