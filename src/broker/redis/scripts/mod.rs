//! The scripts that Redis runs, each whole or not at all.
//!
//! A lane is one sorted set: the ready time is the score, the 16 bytes of the id the member, so that equal times are in
//! the order of their ids. Its last member is the *horizon*, told by its length: `id H` (17 bytes) stands right behind the
//! mark it is named after, `H` with an infinite score means that the lane is complete. No member: nothing is known. A lane
//! that Redis has evicted is therefore not taken for an empty one.
//!
//! `state` holds the generation the head was made in (`g`), whether somebody waits to be woken (`d`), and which lanes had
//! no room (`b0` … `b9`). A head of another generation is left alone by all scripts but [`reset`].
//!
//! Lua compares strings by the locale of the server, so nothing here compares ids: the sorted sets do.

pub(super) mod begin_refill;
pub(super) mod end_refill;
pub(super) mod generation;
pub(super) mod hint;
pub(super) mod pop;
pub(super) mod pop_aged;
pub(super) mod prelude;
pub(super) mod reset;

use redis::Script;

use crate::planted;

/// The texts with their hashes.
pub(super) struct Scripts {
    pub(super) hint: Text,
    pub(super) pop: Text,
    pub(super) pop_aged: Text,
    pub(super) begin_refill: Text,
    pub(super) end_refill: Text,
    pub(super) reset: Text,
    pub(super) generation: Text,
}

pub(super) struct Text {
    pub(super) body: String,
    pub(super) hash: String,
}

impl Text {
    fn new(body: String) -> Self {
        let hash = Script::new(&body).get_hash().to_owned();
        Self { body, hash }
    }
}

impl Scripts {
    pub(super) fn new() -> Self {
        let lanes = |script: &str| Text::new(format!("{}{script}", prelude::PRELUDE));
        let pop = |order: &str| Text::new(format!("{}{order}{}", pop::OPENING, pop::ENDING));
        Self {
            hint: lanes(hint::HINT),
            pop: pop(&planted::pop_script(pop::POP)),
            pop_aged: pop(pop_aged::POP_AGED),
            begin_refill: lanes(begin_refill::BEGIN_REFILL),
            end_refill: lanes(end_refill::END_REFILL),
            reset: Text::new(reset::RESET.into()),
            generation: Text::new(generation::GENERATION.into()),
        }
    }
}
