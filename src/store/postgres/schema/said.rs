//! What handlers have said.

diesel::table! {
    use diesel::sql_types::*;
    use crate::store::postgres::Id;

    task_logs (task_id, id) {
        task_id -> Id,
        id -> Id,
        generation -> Integer,
        attempt -> Integer,
        lines -> Integer,
        bytes -> Integer,
        dropped -> Integer,
        body -> Text,
    }
}

diesel::table! {
    use diesel::sql_types::*;
    use crate::store::postgres::Id;

    task_progress (task_id) {
        task_id -> Id,
        generation -> Integer,
        attempt -> Integer,
        percent -> Nullable<Double>,
        message -> Nullable<Text>,
        at -> BigInt,
    }
}
