//! The subscriber: hears what other nodes tell. A thread and a connection of its own.

use std::{sync::Arc, time::Duration};

use redis::{Client, RedisError};

use super::{Shared, link::Link};
use crate::broker::{bus::Notice, message};

/// A silence that is longer is asked whether anybody is there; also how long the thread outlives its broker.
const SILENCE: Duration = Duration::from_secs(1);
/// Between two tries.
const PAUSE: Duration = Duration::from_millis(200);

pub(super) fn start(shared: Arc<Shared>, client: Client) -> std::io::Result<()> {
    std::thread::Builder::new().name("redis-bus".into()).spawn(move || run(&shared, &client)).map(drop)
}

fn run(shared: &Shared, client: &Client) {
    let mut reported = false;
    while !shared.outbox.is_closed() {
        // The keeper finds out whether Redis is there; two that try would be one too many.
        if !shared.presence.is_away() {
            if let Err(error) = hear(shared, client) {
                if !std::mem::replace(&mut reported, true) {
                    log::debug!("The channel of the nodes is lost: {error}");
                }
            } else {
                reported = false;
            }
        }
        std::thread::sleep(PAUSE);
    }
}

/// Ends without an error where the broker does.
fn hear(shared: &Shared, client: &Client) -> Result<(), RedisError> {
    let Ok(link) = Link::open(client) else { return Ok(()) };
    let mut connection = link.into_inner();
    connection.set_read_timeout(Some(SILENCE))?;
    let mut channel = connection.as_pubsub();
    channel.subscribe(shared.heads.keys.channel())?;
    // What was said before nobody has heard.
    shared.tell(Notice::Missed);
    while !shared.outbox.is_closed() {
        match channel.get_message() {
            Ok(message) => match message::decode(&shared.node, message.get_payload_bytes()) {
                message::Heard::Notice(notice) => shared.tell(notice),
                message::Heard::Own => {}
                message::Heard::Malformed => shared.count_malformed(),
            },
            Err(error) if error.is_timeout() => channel.ping::<redis::Value>().map(drop)?,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
