//! The tables, as diesel knows them. The same as the other store's but for the ids.

mod said;

pub(super) use said::{task_logs, task_progress};

diesel::table! {
    use diesel::sql_types::*;
    use super::super::Id;

    tasks (id) {
        id -> Id,
        queue -> Text,
        name -> Text,
        priority -> Integer,
        status -> Integer,
        ready_at -> Nullable<BigInt>,
        created_at -> BigInt,
        run_at -> Nullable<BigInt>,
        expires_at -> Nullable<BigInt>,
        max_age_ms -> Nullable<BigInt>,
        started_at -> Nullable<BigInt>,
        finished_at -> Nullable<BigInt>,
        attempt -> Integer,
        failures -> Integer,
        crashes -> Integer,
        snoozes -> Nullable<Integer>,
        max_retries -> Integer,
        timeout_ms -> Nullable<BigInt>,
        generation -> Integer,
        cancel_requested -> Bool,
        cancel_reason -> Nullable<Text>,
        worker_id -> Nullable<Id>,
        lease_id -> Nullable<Id>,
        unique_key -> Nullable<Text>,
        live_key -> Nullable<Text>,
        unique_while -> Nullable<Integer>,
        unique_until -> Nullable<BigInt>,
        retry -> Nullable<Text>,
        result_ttl_ms -> Nullable<BigInt>,
        parents -> Integer,
        unmet -> Integer,
        workflow_id -> Nullable<Id>,
        has_dependants -> Bool,
        tags -> Nullable<Text>,
        meta -> Nullable<Text>,
        flow -> Nullable<Text>,
        lane -> Nullable<BigInt>,
        sublane -> Nullable<BigInt>,
        laned -> Bool,
        error -> Nullable<Text>,
        args -> Text,
        kwargs -> Text,
        result -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::super::Id;

    leases (lease_id) {
        lease_id -> Id,
        worker_id -> Id,
        granted_at -> BigInt,
        open -> Integer,
        task_ids -> Binary,
        due -> Nullable<BigInt>,
        extended -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::super::Id;

    attempts (task_id, generation, number) {
        task_id -> Id,
        generation -> Integer,
        number -> Integer,
        worker_id -> Nullable<Id>,
        started_at -> Nullable<BigInt>,
        finished_at -> Nullable<BigInt>,
        outcome -> Text,
        error -> Nullable<Text>,
        next_delay_ms -> Nullable<BigInt>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::super::Id;

    dead_letter_queue (task_id) {
        task_id -> Id,
        queue -> Text,
        name -> Text,
        priority -> Integer,
        reason -> Text,
        error -> Text,
        attempts -> Integer,
        died_at -> BigInt,
        cause -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::super::Id;

    queues (name) {
        name -> Text,
        paused -> Bool,
        weight -> Integer,
        settings -> Text,
        version -> Integer,
        created_at -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::super::Id;

    limits (queue, key) {
        queue -> Text,
        key -> Text,
        matters_until -> BigInt,
        state -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::super::Id;

    key_holds (queue, key, task_id) {
        queue -> Text,
        key -> Text,
        task_id -> Id,
        lease_id -> Id,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::super::Id;

    key_places (queue, key, task_id) {
        queue -> Text,
        key -> Text,
        task_id -> Id,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::super::Id;

    task_dependencies (parent_id, resolved, child_id) {
        parent_id -> Id,
        child_id -> Id,
        on_failure -> Integer,
        resolved -> Bool,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::super::Id;

    workflows (id) {
        id -> Id,
        name -> Nullable<Text>,
        state -> Integer,
        created_at -> BigInt,
        finished_at -> Nullable<BigInt>,
        latest_end -> BigInt,
        total -> Integer,
        success -> Integer,
        failed -> Integer,
        timeout -> Integer,
        cancelled -> Integer,
        expired -> Integer,
        skipped -> Integer,
        unneeded -> Integer,
        deleted -> Integer,
        has_dependants -> Bool,
        queues -> Text,
        tags -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::super::Id;

    workflow_plans (workflow_id) {
        workflow_id -> Id,
        edges -> Text,
        meta -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::super::Id;

    workflow_tasks (workflow_id, task_id) {
        workflow_id -> Id,
        task_id -> Id,
        name -> Text,
        role -> Integer,
        ended -> Nullable<Integer>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::super::Id;

    unresolved_parents (task_id) {
        task_id -> Id,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::super::Id;

    expiries (expires_at, task_id) {
        expires_at -> BigInt,
        task_id -> Id,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::super::Id;

    workers (id) {
        id -> Id,
        host -> Text,
        pid -> Integer,
        version -> Text,
        state -> Text,
        slots -> Integer,
        started_at -> BigInt,
        beat_seq -> BigInt,
        beat_at -> BigInt,
        patience_ms -> BigInt,
        node -> Nullable<Text>,
        kind -> Text,
        name -> Nullable<Text>,
        client -> Nullable<Text>,
        asked -> Nullable<Text>,
        offer -> Text,
        prefetch -> Integer,
        rss_bytes -> Nullable<BigInt>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::super::Id;

    idempotency_keys (key) {
        key -> Text,
        body_hash -> Binary,
        created_at -> BigInt,
        response -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::super::Id;

    counters (queue, priority, kind) {
        queue -> Text,
        priority -> Integer,
        kind -> Integer,
        n -> BigInt,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::super::Id;

    operations (id) {
        id -> Id,
        action -> Text,
        filter -> Text,
        rate -> Nullable<Double>,
        state -> Text,
        position -> Nullable<Id>,
        done -> BigInt,
        refused -> BigInt,
        created_at -> BigInt,
        finished_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::super::Id;

    api_keys (id) {
        id -> Id,
        name -> Text,
        hash -> Binary,
        scopes -> Text,
        queues -> Text,
        created_at -> BigInt,
        expires_at -> Nullable<BigInt>,
        revoked_at -> Nullable<BigInt>,
        last_used_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::super::Id;

    task_metrics (span_ms, queue, starts_at) {
        span_ms -> Integer,
        queue -> Text,
        starts_at -> BigInt,
        submitted -> BigInt,
        succeeded -> BigInt,
        failed_attempts -> BigInt,
        dead -> BigInt,
        retried -> BigInt,
        snoozed -> BigInt,
        cancelled -> BigInt,
        expired -> BigInt,
        busy_ms -> BigInt,
        slot_ms -> BigInt,
        waiting_high -> BigInt,
        waiting_medium -> BigInt,
        waiting_low -> BigInt,
        looks -> BigInt,
        waits -> Text,
        runs -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::super::Id;

    audit_log (seq) {
        seq -> BigInt,
        at -> BigInt,
        actor -> Text,
        action -> Text,
        target -> Text,
        detail -> Nullable<Text>,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use super::super::Id;

    schedules (name) {
        name -> Text,
        queue -> Text,
        rule -> Text,
        task -> Text,
        origin -> Text,
        paused_by -> Nullable<Text>,
        version -> Integer,
        anchor -> BigInt,
        next_tick -> Nullable<BigInt>,
        next_at -> Nullable<BigInt>,
        last_task -> Nullable<Id>,
        tally -> Text,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::allow_tables_to_appear_in_same_query!(tasks, dead_letter_queue, task_dependencies, unresolved_parents);
diesel::allow_tables_to_appear_in_same_query!(tasks, workflow_tasks, workflows, workflow_plans);
diesel::allow_tables_to_appear_in_same_query!(task_dependencies, workflows);
diesel::allow_tables_to_appear_in_same_query!(queues, limits);
diesel::allow_tables_to_appear_in_same_query!(tasks, key_holds, key_places);
diesel::allow_tables_to_appear_in_same_query!(workers, leases);
