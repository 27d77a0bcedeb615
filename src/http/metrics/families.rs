//! Every metric there is. `docs/metrics.md` says the same at more length; a test compares the two.

use super::text::{Family, Kind};

macro_rules! families {
    ($($name:ident $kind:ident $metric:literal $help:literal;)+) => {
        $(pub(super) const $name: Family = Family { name: $metric, kind: Kind::$kind, help: $help };)+
    };
}

families! {
    BUILD_INFO Gauge "jobqueue_build_info" "1, with the version of the program as its label";

    STORE_UP Gauge "jobqueue_store_up" "1: the store was read for this answer; 0: what it knows is missing here";
    TASKS Gauge "jobqueue_tasks" "Tasks in the store by queue and status";
    DEAD_LETTERS Gauge "jobqueue_dead_letters" "Tasks in the dead-letter queue";
    UNSERVABLE Gauge "jobqueue_unservable_tasks" "Tasks that wait and that no live worker can run";
    OLDEST_READY Gauge "jobqueue_oldest_ready_age_seconds" "How long the first task of the queue could have been running";
    QUEUES Gauge "jobqueue_queues" "Queues there are";
    WORKERS Gauge "jobqueue_workers" "Nodes by state";

    SUBMITTED Counter "jobqueue_tasks_submitted_total" "Tasks taken in";
    FINISHED Counter "jobqueue_tasks_finished_total" "Tasks that are over, by outcome";
    FAILED_ATTEMPTS Counter "jobqueue_attempts_failed_total" "Attempts that failed, whether another followed or not";
    RETRIES Counter "jobqueue_retries_total" "Failed attempts that another follows";
    SNOOZED Counter "jobqueue_snoozed_total" "Attempts that put their task off";
    WAIT Histogram "jobqueue_task_wait_seconds" "From the moment a task could have started to its start";
    RUN Histogram "jobqueue_task_run_seconds" "From the start of an attempt to its end";
    LEASES_LOST Counter "jobqueue_leases_lost_total" "Outcomes dropped because the task had been taken away";
    OUTCOMES_WAITING Gauge "jobqueue_outcomes_waiting" "Outcomes of this node's tasks that are not in the store yet";
    SPOOL_BYTES Gauge "jobqueue_spool_bytes" "Bytes of the outcomes that wait in the node's folder while the store takes nothing";
    SLOTS Gauge "jobqueue_slots" "Tasks this node can run at a time";
    SLOTS_BUSY Gauge "jobqueue_slots_busy" "Slots of this node that run a task";
    STUCK Gauge "jobqueue_stuck_handlers" "Handlers of this node that go on although their attempts were ended";
    SLOT_BUSY Counter "jobqueue_slot_busy_seconds_total" "Time this node's slots have spent on tasks";

    TRANSACTIONS Histogram "jobqueue_store_transaction_seconds" "Transactions of the stage, from begin to on the disk";
    OPERATIONS Histogram "jobqueue_store_transaction_operations" "Outcomes, claims and requests in a transaction";
    STORE_FAILURES Counter "jobqueue_store_failures_total" "Transactions that were not committed, by cause";
    HEAD Gauge "jobqueue_broker_head_tasks" "Claimable tasks the broker holds ready";

    ACTORS Gauge "jobqueue_actors" "Actors of the supervision tree by kind and state";
    RESTARTS Counter "jobqueue_actor_restarts_total" "Actors started again by their supervisors";
    MAILBOX Gauge "jobqueue_actor_mailbox_messages" "Messages that wait for actors of a kind";

    START_TIME Gauge "process_start_time_seconds" "Start of the process, in seconds since 1970";
    CPU Counter "process_cpu_seconds_total" "Processor time used by the process, user and system";
    RESIDENT Gauge "process_resident_memory_bytes" "Memory of the process that is in RAM";
    OPEN_FDS Gauge "process_open_fds" "File descriptors the process has open";
    MAX_FDS Gauge "process_max_fds" "File descriptors the process may have open";
}
