//! Which facts prove which cause: rows that stand beside the step that fails, pure over what was seen.
//!
//! The hard thing: never to be wrongly certain. A row names its cause only if the fact that it shows is by itself
//! enough for the error, so that of two causes both are named; what is only possible is said as such, and only
//! where no fact is enough.

use crate::host::facts::Facts;
use crate::model::AppletName;

/// A reason for a failure, and what can be done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cause {
    /// A sentence with the fact that proves it.
    pub(crate) cause: String,
    /// What to do; empty where nothing can be advised.
    pub(crate) hint: String,
}

/// What can fail: a step, or a part of one, with what its causes need to know of it.
pub(crate) trait Explain {
    /// A word for it, for machines.
    fn word(&self) -> &'static str;

    /// Adds what each row finds.
    fn find(&self, case: &Case<'_>, found: &mut Vec<Finding>);
}

/// What has no rows; its word.
pub(crate) struct Unexplained(pub(crate) &'static str);

impl Explain for Unexplained {
    fn word(&self) -> &'static str {
        self.0
    }

    fn find(&self, _: &Case<'_>, _: &mut Vec<Finding>) {}
}

/// How something failed, as a row looks at it.
pub(crate) struct Case<'a> {
    /// The errno; 0 if no system call failed.
    pub(crate) errno: i32,
    /// What was seen.
    pub(crate) facts: &'a Facts<'a>,
    /// Who failed, whose options a hint names.
    pub(crate) applet: AppletName,
}

/// What a row has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Its sentences.
    pub(crate) cause: Cause,
    /// Whether the facts prove it; else it is named only where nothing is proved.
    pub(crate) is_proved: bool,
    /// It takes the error itself to prove it, so that it cannot be foretold.
    pub(crate) is_by_error: bool,
    /// The row.
    #[cfg(test)]
    pub(crate) id: &'static str,
}

/// A cause that is proved.
pub(crate) fn because(cause: impl Into<String>, hint: impl Into<String>) -> Option<Finding> {
    Some(Finding {
        cause: Cause {
            cause: cause.into(),
            hint: hint.into(),
        },
        is_proved: true,
        is_by_error: false,
        #[cfg(test)]
        id: "",
    })
}

/// A cause that is possible.
pub(crate) fn perhaps(cause: impl Into<String>, hint: impl Into<String>) -> Option<Finding> {
    let finding = because(cause, hint)?;
    Some(Finding {
        is_proved: false,
        ..finding
    })
}

/// A cause that is proved by the error, together with what was seen.
pub(crate) fn shown(cause: impl Into<String>, hint: impl Into<String>) -> Option<Finding> {
    let finding = because(cause, hint)?;
    Some(Finding {
        is_by_error: true,
        ..finding
    })
}

/// The rows of a type: makes its [`Explain`], which tries each whose errors (none: also where no system call failed)
/// are those of the failure.
///
/// For tests and the manual the rows are data too, `Type::ROWS`. In the binary a table would cost every start: its
/// pointers are relocated before `main`, whether anything fails or not.
macro_rules! explains {
    ($type:ty {
        word: $word:expr,
        classic: $classic:expr,
        applets: [$($applet:expr),+],
    }
    $(Rule {
        id: $id:expr,
        errors: [$($error:expr),* $(,)?],
        about: $about:expr,
        advice: $advice:expr,
        find: $find:expr,
    }),* $(,)?) => {
        impl $crate::failure::Explain for $type {
            fn word(&self) -> &'static str {
                $word
            }

            fn find(&self, case: &$crate::failure::Case<'_>, found: &mut Vec<$crate::failure::Finding>) {
                use $crate::failure::{Case, Finding, cause};
                $(
                    if cause::is_one_of(case.errno, &[$($error),*]) {
                        let find: fn(&$type, &Case<'_>) -> Option<Finding> = $find;
                        cause::add(find(self, case), $id, found);
                    }
                )*
            }
        }

        #[cfg(test)]
        impl $type {
            /// What the manual says of it.
            pub(crate) const ROWS: $crate::failure::cause::Rows = $crate::failure::cause::Rows {
                classic: $classic,
                applets: &[$($applet),+],
                rules: &[$($crate::failure::cause::Rule {
                    id: $id,
                    errors: &[$($error),*],
                    about: $about,
                    advice: $advice,
                }),*],
            };
        }
    };
}
pub(crate) use explains;

/// Whether an errno is one of these; none of them: whether there was none.
pub(crate) fn is_one_of(errno: i32, errors: &[i32]) -> bool {
    errors.contains(&errno) || (errors.is_empty() && errno == 0)
}

/// Adds what the row of this name has found.
pub(crate) fn add(finding: Option<Finding>, id: &'static str, found: &mut Vec<Finding>) {
    let _ = id;
    found.extend(finding.map(|finding| Finding {
        #[cfg(test)]
        id,
        ..finding
    }));
}

/// The rows of a type, for the manual.
#[cfg(test)]
pub(crate) struct Rows {
    /// The classic line of its failure.
    pub(crate) classic: &'static str,
    /// The applets in which it occurs.
    pub(crate) applets: &'static [&'static str],
    pub(crate) rules: &'static [Rule],
}

/// A cause that can be told from the others.
#[cfg(test)]
pub(crate) struct Rule {
    /// Its name, unique.
    pub(crate) id: &'static str,
    /// The errors that it shows as.
    pub(crate) errors: &'static [i32],
    /// The cause.
    pub(crate) about: &'static str,
    /// What to do.
    pub(crate) advice: &'static str,
}

/// The causes of a failure: those that are proved, else those that are possible.
pub(crate) fn causes(failed: &dyn Explain, case: &Case<'_>) -> Vec<Cause> {
    let found = findings(failed, case);
    let is_proved = found.iter().any(|finding| finding.is_proved);
    only(found, is_proved)
}

/// The causes that are proved, whether it has failed or not, and so would make it fail.
pub(crate) fn proved(failed: &dyn Explain, case: &Case<'_>) -> Vec<Cause> {
    let mut found = findings(failed, case);
    found.retain(|finding| !finding.is_by_error);
    only(found, true)
}

fn findings(failed: &dyn Explain, case: &Case<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    failed.find(case, &mut found);
    found
}

/// The causes that are proved, or those that are not, each once.
fn only(found: Vec<Finding>, is_proved: bool) -> Vec<Cause> {
    let mut causes = Vec::new();
    let found = found.into_iter();
    for Finding { cause, .. } in found.filter(|finding| finding.is_proved == is_proved) {
        if !causes.contains(&cause) {
            causes.push(cause);
        }
    }
    causes
}

/// The lines under the classic one.
pub(crate) fn lines(causes: &[Cause]) -> String {
    let mut text = String::new();
    for Cause { cause, hint } in causes {
        text.push_str(&format!("  cause: {cause}\n"));
        if !hint.is_empty() {
            text.push_str(&format!("  hint: {hint}\n"));
        }
    }
    text
}
