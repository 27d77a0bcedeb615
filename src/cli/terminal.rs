//! Where output goes, and what is done to text before it gets there.

use std::io::{Read, Write};

use super::Failure;

/// The process' streams, or a test's.
pub(super) struct Terminal<'a> {
    pub(super) out: &'a mut dyn Write,
    pub(super) err: &'a mut dyn Write,
    pub(super) input: &'a mut dyn Read,
    /// Columns; `None` where the output is no terminal.
    pub(super) width: Option<u16>,
    /// Somebody is there who can be asked.
    pub(super) interactive: bool,
    pub(super) color: bool,
}

impl Terminal<'_> {
    /// One line, or several, on standard output.
    pub(super) fn line(&mut self, text: &str) -> Result<(), Failure> {
        writeln!(self.out, "{}", text.trim_end_matches('\n'))?;
        Ok(self.out.flush()?)
    }

    /// A remark for people: it does not disturb what a program reads from standard output.
    pub(super) fn note(&mut self, text: &str) {
        // Without standard error there is nobody to tell.
        let _ = writeln!(self.err, "{}", clean_lines(text));
    }

    /// Says why it failed; returns the exit code.
    pub(super) fn fail(&mut self, failure: &Failure) -> u8 {
        match failure.message() {
            "" => {}
            message if message.contains('\n') => self.note(&format!("error:\n{message}")),
            message => self.note(&format!("error: {message}")),
        }
        failure.code()
    }

    /// Help, version, or a usage error; returns the exit code.
    pub(super) fn tell(&mut self, told: &clap::Error) -> u8 {
        let text = if self.color { told.render().ansi().to_string() } else { told.render().to_string() };
        let stream = if told.use_stderr() { &mut *self.err } else { &mut *self.out };
        // A closed pipe ends it quietly.
        let _ = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
        u8::try_from(told.exit_code()).unwrap_or(2)
    }
}

/// Text of unknown origin as one harmless line: escape sequences are taken out, control characters become spaces, and
/// marks that reorder the text around them go too.
pub(super) fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\u{1b}' => skip_escape(&mut chars),
            '\u{9b}' => skip_csi(&mut chars),
            '\u{9d}' | '\u{90}' => skip_string(&mut chars),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' => {}
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => cleaned.push(' '),
            c => cleaned.push(c),
        }
    }
    cleaned
}

fn clean_lines(text: &str) -> String {
    text.lines().map(clean).collect::<Vec<_>>().join("\n")
}

type Chars<'t> = std::iter::Peekable<std::str::Chars<'t>>;

/// What follows ESC: a control sequence, a string (title, link), or one character.
fn skip_escape(chars: &mut Chars<'_>) {
    match chars.next() {
        Some('[') => skip_csi(chars),
        Some(']' | 'P' | 'X' | '^' | '_') => skip_string(chars),
        Some(' '..='/') => while chars.next().is_some_and(|c| (' '..='/').contains(&c)) {},
        _ => {}
    }
}

/// Parameters up to the final character (ECMA-48, 5.4).
fn skip_csi(chars: &mut Chars<'_>) {
    while chars.next_if(|c| (' '..='?').contains(c)).is_some() {}
    chars.next_if(|c| ('@'..='~').contains(c));
}

/// Up to BEL or the string terminator. Without one, only what is on this line.
fn skip_string(chars: &mut Chars<'_>) {
    while let Some(c) = chars.next_if(|c| *c != '\n') {
        match c {
            '\u{7}' | '\u{9c}' => return,
            '\u{1b}' => {
                chars.next_if_eq(&'\\');
                return;
            }
            _ => {}
        }
    }
}
