//! The tables, as diesel knows them. Written by `diesel print-schema`, except for the integers' widths.

diesel::table! {
    tasks (seq) {
        seq -> BigInt,
        id -> Binary,
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
        worker_id -> Nullable<Binary>,
        lease_id -> Nullable<Binary>,
        unique_key -> Nullable<Text>,
        live_key -> Nullable<Text>,
        unique_while -> Nullable<Integer>,
        unique_until -> Nullable<BigInt>,
        retry -> Nullable<Text>,
        result_ttl_ms -> Nullable<BigInt>,
        parents -> Integer,
        unmet -> Integer,
        workflow_id -> Nullable<Binary>,
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
    leases (lease_id) {
        lease_id -> Binary,
        worker_id -> Binary,
        granted_at -> BigInt,
        open -> Integer,
        task_ids -> Binary,
        due -> Nullable<BigInt>,
        extended -> Nullable<Text>,
    }
}

diesel::table! {
    attempts (task_id, generation, number) {
        task_id -> Binary,
        generation -> Integer,
        number -> Integer,
        worker_id -> Nullable<Binary>,
        started_at -> Nullable<BigInt>,
        finished_at -> Nullable<BigInt>,
        outcome -> Text,
        error -> Nullable<Text>,
        next_delay_ms -> Nullable<BigInt>,
    }
}

diesel::table! {
    dead_letter_queue (task_id) {
        task_id -> Binary,
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
    limits (queue, key) {
        queue -> Text,
        key -> Text,
        matters_until -> BigInt,
        state -> Text,
    }
}

diesel::table! {
    key_holds (queue, key, task_id) {
        queue -> Text,
        key -> Text,
        task_id -> Binary,
        lease_id -> Binary,
    }
}

diesel::table! {
    key_places (queue, key, task_id) {
        queue -> Text,
        key -> Text,
        task_id -> Binary,
    }
}

diesel::table! {
    task_dependencies (parent_id, resolved, child_id) {
        parent_id -> Binary,
        child_id -> Binary,
        on_failure -> Integer,
        resolved -> Bool,
    }
}

diesel::table! {
    workflows (id) {
        id -> Binary,
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
    workflow_plans (workflow_id) {
        workflow_id -> Binary,
        edges -> Text,
        meta -> Nullable<Text>,
    }
}

diesel::table! {
    workflow_tasks (workflow_id, task_id) {
        workflow_id -> Binary,
        task_id -> Binary,
        name -> Text,
        role -> Integer,
        ended -> Nullable<Integer>,
    }
}

diesel::table! {
    unresolved_parents (task_id) {
        task_id -> Binary,
    }
}

diesel::table! {
    expiries (expires_at, task_id) {
        expires_at -> BigInt,
        task_id -> Binary,
    }
}

diesel::table! {
    workers (id) {
        id -> Binary,
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
    idempotency_keys (key) {
        key -> Text,
        body_hash -> Binary,
        created_at -> BigInt,
        response -> Text,
    }
}

diesel::table! {
    counters (queue, priority, kind) {
        queue -> Text,
        priority -> Integer,
        kind -> Integer,
        n -> BigInt,
    }
}

diesel::table! {
    operations (id) {
        id -> Binary,
        action -> Text,
        filter -> Text,
        rate -> Nullable<Double>,
        state -> Text,
        position -> Nullable<Binary>,
        done -> BigInt,
        refused -> BigInt,
        created_at -> BigInt,
        finished_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    api_keys (id) {
        id -> Binary,
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
        last_task -> Nullable<Binary>,
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

diesel::table! {
    task_logs (task_id, id) {
        task_id -> Binary,
        id -> Binary,
        generation -> Integer,
        attempt -> Integer,
        lines -> Integer,
        bytes -> Integer,
        dropped -> Integer,
        body -> Text,
    }
}

diesel::table! {
    task_progress (task_id) {
        task_id -> Binary,
        generation -> Integer,
        attempt -> Integer,
        percent -> Nullable<Double>,
        message -> Nullable<Text>,
        at -> BigInt,
    }
}
