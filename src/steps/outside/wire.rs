//! What is said on the line to the helper outside: an order, and to each order one answer.
//!
//! A message that is not in the form is no message: the line is between two processes of ours, so who hears one must
//! stop, and not guess.

use crate::failure::Cause;

/// The largest message: what a program said is cut to half of this.
pub(crate) const MESSAGE: usize = 4096;

/// What the helper is told to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// Do the next piece of work.
    Work,
    /// The program is about to start, with this PID: write that to the PID file, if there is to be one. From here on
    /// all stays, unless it is undone.
    Start(i32),
    /// Undo what was bound and written, and end.
    Undo,
}

/// What the helper says to an order.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The piece of work is done, or all is ready for the program's start.
    Done,
    /// That could not be done. All has been undone, or will be before the helper ends, which it does now.
    Failed(Failed),
    /// All is undone.
    Undone,
}

/// What failed of a piece of work.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failed {
    /// Which part of it.
    pub(crate) part: u32,
    /// Why.
    pub(crate) error: PartError,
    /// What a program said of it.
    pub(crate) said: Vec<u8>,
    /// The causes that were found outside.
    pub(crate) causes: Option<Box<[Cause]>>,
}

/// Why a part failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PartError {
    /// A system call gave this error.
    Errno(i32),
    /// The program was not found, or could not be executed.
    NotExecuted(i32),
    /// The program exited with this status.
    Exited(i32),
    /// This signal killed the program.
    Killed(i32),
    /// The program succeeded, and the map cannot be read to see what it did.
    Unread(i32),
    /// The program succeeded, and there is no map.
    NoMap,
}

const WORK: u8 = b'w';
const START: u8 = b's';
const UNDO: u8 = b'u';

const DONE: u8 = b'd';
const FAILED: u8 = b'f';
const UNDONE: u8 = b'n';

impl Order {
    pub(crate) fn encode(self) -> Vec<u8> {
        match self {
            Order::Work => vec![WORK],
            Order::Start(pid) => {
                let mut bytes = vec![START];
                bytes.extend(pid.to_ne_bytes());
                bytes
            }
            Order::Undo => vec![UNDO],
        }
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Order> {
        match bytes {
            [WORK] => Some(Order::Work),
            [START, pid @ ..] => Some(Order::Start(i32::from_ne_bytes(pid.try_into().ok()?))),
            [UNDO] => Some(Order::Undo),
            _ => None,
        }
    }
}

impl Answer {
    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Answer::Done => vec![DONE],
            Answer::Undone => vec![UNDONE],
            Answer::Failed(failed) => {
                let mut bytes = vec![FAILED];
                failed.put(&mut bytes);
                bytes
            }
        }
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Answer> {
        match bytes {
            [DONE] => Some(Answer::Done),
            [UNDONE] => Some(Answer::Undone),
            [FAILED, rest @ ..] => Failed::take(rest).map(Answer::Failed),
            _ => None,
        }
    }
}

impl Failed {
    fn put(&self, bytes: &mut Vec<u8>) {
        let (tag, number) = match self.error {
            PartError::Errno(number) => (b'e', number),
            PartError::NotExecuted(number) => (b'x', number),
            PartError::Exited(number) => (b's', number),
            PartError::Killed(number) => (b'k', number),
            PartError::Unread(number) => (b'r', number),
            PartError::NoMap => (b'n', 0),
        };
        bytes.push(tag);
        bytes.extend(number.to_ne_bytes());
        bytes.extend(self.part.to_ne_bytes());
        // What is said is a line; what is left of the room is for the causes.
        let said = &self.said[..self.said.len().min(MESSAGE / 2)];
        bytes.extend(text(said));
        for Cause { cause, hint } in self.causes.as_deref().unwrap_or_default() {
            let texts = [text(cause.as_bytes()), text(hint.as_bytes())].concat();
            if bytes.len() + texts.len() <= MESSAGE {
                bytes.extend(texts);
            }
        }
    }

    fn take(bytes: &[u8]) -> Option<Failed> {
        let (tag, bytes) = bytes.split_first()?;
        let (number, bytes) = bytes.split_first_chunk()?;
        let number = i32::from_ne_bytes(*number);
        let error = match tag {
            b'e' => PartError::Errno(number),
            b'x' => PartError::NotExecuted(number),
            b's' => PartError::Exited(number),
            b'k' => PartError::Killed(number),
            b'r' => PartError::Unread(number),
            b'n' => PartError::NoMap,
            _ => return None,
        };
        let (part, bytes) = bytes.split_first_chunk()?;
        let (said, mut bytes) = split_text(bytes)?;
        let mut causes = Vec::new();
        while !bytes.is_empty() {
            let (cause, rest) = split_text(bytes)?;
            let (hint, rest) = split_text(rest)?;
            bytes = rest;
            causes.push(Cause {
                cause: String::from_utf8(cause.to_vec()).ok()?,
                hint: String::from_utf8(hint.to_vec()).ok()?,
            });
        }
        Some(Failed {
            part: u32::from_ne_bytes(*part),
            error,
            said: said.to_vec(),
            causes: (!causes.is_empty()).then(|| causes.into()),
        })
    }
}

/// A text with its length before it; none of ours is longer than a message.
fn text(text: &[u8]) -> Vec<u8> {
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    [&length.to_ne_bytes(), text].concat()
}

/// The text in front, and what follows it.
fn split_text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, bytes) = bytes.split_first_chunk()?;
    bytes.split_at_checked(usize::try_from(u32::from_ne_bytes(*length)).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What is understood is said in the same words again, as long as it is not cut.
    #[test]
    fn fuzzed_messages() {
        crate::fuzz::fuzz("wire", |bytes| {
            if let Some(order) = Order::decode(bytes) {
                assert_eq!(order.encode(), bytes);
            }
            let Some(answer) = Answer::decode(bytes) else {
                return;
            };
            let is_cut = match &answer {
                Answer::Failed(failed) => failed.said.len() > MESSAGE / 2 || bytes.len() > MESSAGE,
                Answer::Done | Answer::Undone => false,
            };
            assert!(answer.encode().len() <= MESSAGE);
            assert!(is_cut || Answer::decode(&answer.encode()) == Some(answer));
        });
    }

    fn cause(cause: &str, hint: &str) -> Cause {
        Cause {
            cause: cause.into(),
            hint: hint.into(),
        }
    }

    fn answers() -> Vec<Answer> {
        let mut answers = vec![Answer::Done, Answer::Undone];
        for (index, error) in [
            PartError::Errno(libc::EPERM),
            PartError::NotExecuted(libc::ENOENT),
            PartError::Exited(77),
            PartError::Killed(9),
            PartError::Unread(libc::ESRCH),
            PartError::NoMap,
        ]
        .into_iter()
        .enumerate()
        {
            let causes: Option<Box<[Cause]>> = match index % 3 {
                0 => None,
                1 => Some([cause("why\0", "")].into()),
                _ => Some([cause("", "what to do"), cause("é", "\n")].into()),
            };
            answers.push(Answer::Failed(Failed {
                part: u32::MAX - index as u32,
                error,
                said: vec![b'x'; index * 100],
                causes,
            }));
        }
        answers
    }

    #[test]
    fn orders_come_back() {
        for order in [
            Order::Work,
            Order::Start(1),
            Order::Start(i32::MAX),
            Order::Undo,
        ] {
            assert_eq!(Order::decode(&order.encode()), Some(order));
        }
    }

    #[test]
    fn answers_come_back() {
        for answer in answers() {
            assert_eq!(Answer::decode(&answer.encode()), Some(answer));
        }
    }

    #[test]
    fn what_is_no_order_is_refused() {
        for bytes in [&b""[..], b"?", b"s", b"s123", b"s12345", b"ww", b"uu", b"d"] {
            assert_eq!(Order::decode(bytes), None, "{}", bytes.escape_ascii());
        }
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for bytes in [
            &b""[..],
            b"?",
            b"dd",
            b"nn",
            b"f",
            b"w",
            b"f?1234567812345678",
        ] {
            assert_eq!(Answer::decode(bytes), None, "{}", bytes.escape_ascii());
        }
        for answer in answers() {
            let whole = answer.encode();
            // A part that ends between two causes is the whole of an answer with fewer.
            let fewer = |part: &[u8]| match (Answer::decode(part), &answer) {
                (Some(Answer::Failed(part)), Answer::Failed(whole)) => {
                    part.causes.map_or(0, |causes| causes.len())
                        < whole.causes.as_ref().map_or(0, |causes| causes.len())
                }
                (Some(_), _) => false,
                (None, _) => true,
            };
            for length in 0..whole.len() {
                assert!(fewer(&whole[..length]), "{length} of {answer:?}");
            }
            let longer = [&whole[..], b"?"].concat();
            assert_eq!(Answer::decode(&longer), None, "{answer:?}");
        }
    }

    #[test]
    fn the_largest_answer_fits() {
        let long = "x".repeat(MESSAGE / 4);
        let failed = Failed {
            part: 0,
            error: PartError::Exited(1),
            said: vec![b'y'; 3 * MESSAGE],
            causes: Some(vec![cause(&long, ""); 5].into()),
        };
        let bytes = Answer::Failed(failed).encode();
        assert!(bytes.len() <= MESSAGE);
        let Some(Answer::Failed(failed)) = Answer::decode(&bytes) else {
            panic!("it comes back");
        };
        assert_eq!(failed.said.len(), MESSAGE / 2);
        assert_eq!(failed.causes.map(|causes| causes.len()), Some(1));
    }

    proptest! {
        #[test]
        fn any_bytes_do(bytes: Vec<u8>, tag in 0..3_usize) {
            let bytes = [&[b'f', b's', b'?'][tag..=tag], &bytes].concat();
            if let Some(answer) = Answer::decode(&bytes) {
                prop_assert_eq!(answer.encode(), bytes.clone());
            }
            if let Some(order) = Order::decode(&bytes) {
                prop_assert_eq!(order.encode(), bytes);
            }
        }
    }
}
