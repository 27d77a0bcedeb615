//! What nodes tell each other, and what strangers say on their channel.

use std::sync::{Arc, Mutex, mpsc};

use jobqueue::{
    broker::{Bus, BusListener, Notice, RedisBroker, RedisConfig},
    task::TaskId,
};

use crate::server::{DEADLINE, Redis, eventually};

struct Ear(Mutex<mpsc::Sender<Notice>>);

impl BusListener for Ear {
    fn heard(&self, notice: Notice) {
        let _ = self.0.lock().unwrap().send(notice);
    }
}

fn ear(node: &RedisBroker) -> mpsc::Receiver<Notice> {
    let (tell, heard) = mpsc::channel();
    node.listen(Arc::new(Ear(Mutex::new(tell))));
    // Said when the channel is there.
    assert_eq!(heard.recv_timeout(DEADLINE), Ok(Notice::Missed));
    heard
}

fn next(heard: &mpsc::Receiver<Notice>) -> Notice {
    loop {
        match heard.recv_timeout(DEADLINE).unwrap() {
            Notice::Missed => {}
            notice => return notice,
        }
    }
}

pub(crate) fn a_wake_goes_from(one: &RedisBroker, other: &RedisBroker) {
    let (tell, heard) = mpsc::channel();
    other.listen(Arc::new(Ear(Mutex::new(tell))));
    let wake = Notice::Wake(vec!["q".into()]);
    eventually("it is heard", || {
        one.publish(wake.clone());
        heard.try_iter().any(|notice| notice == wake)
    });
}

#[test]
fn notices_reach_the_other_nodes_and_not_the_sender() {
    let redis = Redis::start();
    let (one, other) = (redis.broker(), redis.broker());
    let id = TaskId::new();
    a_wake_goes_from(&one, &other);
    let (tell, heard) = mpsc::channel();
    one.listen(Arc::new(Ear(Mutex::new(tell))));
    one.publish(Notice::KeysChanged);
    eventually("it is heard", || {
        other.publish(Notice::Cancel { ids: vec![id], at_once: true });
        heard.try_iter().any(|notice| {
            assert_ne!(notice, Notice::KeysChanged, "that was our own");
            notice == Notice::Cancel { ids: vec![id], at_once: true }
        })
    });
}

#[test]
fn what_strangers_say_is_counted_and_dropped() {
    let redis = Redis::start();
    let node = redis.broker();
    let (tell, heard) = mpsc::channel();
    node.listen(Arc::new(Ear(Mutex::new(tell))));
    let subscribed = || redis.command(&["PUBLISH", "jobqueue:bus", "hello"]) == redis::Value::Int(1);
    eventually("it listens", subscribed);
    for message in ["", "{}", "[[[[", r#"{"v":1,"node":"x","body":{"wake":["a b"]}}"#, r#"{"v":9}"#] {
        redis.command(&["PUBLISH", "jobqueue:bus", message]);
    }
    redis.command(&["PUBLISH", "jobqueue:bus", &"x".repeat(1_000_000)]);
    redis.command(&["PUBLISH", "jobqueue:bus", r#"{"v":1,"node":"x","body":{"wake":["a"]}}"#]);
    assert_eq!(next(&heard), Notice::Wake(vec!["a".into()]));
    assert_eq!(node.malformed(), 7);
}

#[test]
fn a_node_that_could_not_hear_is_told_that_it_may_have_missed_something() {
    let mut redis = Redis::start();
    let node = redis.broker();
    let heard = ear(&node);
    redis.kill();
    redis.start_again(&[]);
    assert_eq!(heard.recv_timeout(DEADLINE), Ok(Notice::Missed));
    eventually("it listens again", || redis.command(&["PUBLISH", "jobqueue:bus", "hello"]) == redis::Value::Int(1));
}

#[test]
fn two_installations_on_one_redis_do_not_hear_each_other() {
    let redis = Redis::start();
    let of = |prefix| {
        let config = RedisConfig::parse(&redis.url()).unwrap().with_prefix(prefix).unwrap();
        RedisBroker::connect(config).unwrap()
    };
    let (one, other, stranger) = (of("a"), of("a"), of("b"));
    let (tell, heard) = mpsc::channel();
    stranger.listen(Arc::new(Ear(Mutex::new(tell))));
    a_wake_goes_from(&one, &other);
    assert!(heard.try_iter().all(|notice| notice == Notice::Missed));
}
