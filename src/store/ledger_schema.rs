//! The tables of the balance ledger and of the write queue. Those of everything else are in `schema`.

diesel::table! {
    ledgers (ledger_id) {
        ledger_id -> BigInt,
        tenant_id -> Text,
        mode -> Text,
        last_sequence -> BigInt,
        last_hash -> Nullable<Binary>,
        last_verified_at -> BigInt,
        emitted -> BigInt,
        emitted_sum -> Text,
    }
}

diesel::table! {
    ledger_customers (customer_key) {
        tenant_id -> Text,
        mode -> Text,
        customer_id -> Text,
        display_name -> Nullable<Text>,
        created_at -> BigInt,
        customer_key -> BigInt,
        currency -> Nullable<Text>,
        deltas -> BigInt,
        balance -> Text,
        last_delta_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    deltas (record_id) {
        record_id -> Text,
        tenant_id -> Text,
        mode -> Text,
        customer_id -> Text,
        currency -> Nullable<Text>,
        millionths -> BigInt,
        reason -> Text,
        reference_id -> Nullable<Text>,
        metadata -> Nullable<Text>,
        salt -> Binary,
        content_hash -> Binary,
        counted_in -> Nullable<Text>,
        created_at -> BigInt,
    }
}

diesel::table! {
    delta_queue (tenant_id, mode, first_record_id) {
        tenant_id -> Text,
        mode -> Text,
        first_record_id -> Text,
        last_record_id -> Text,
        number -> BigInt,
    }
}

diesel::table! {
    delta_entries (ledger_id, sequence) {
        ledger_id -> BigInt,
        sequence -> BigInt,
        record_id -> Text,
        customer_key -> BigInt,
        customer_sequence -> BigInt,
        customer_sum -> Text,
        emitted -> BigInt,
        emitted_sum -> Text,
        leaf_hash -> Binary,
        verified_at -> BigInt,
    }
}

diesel::table! {
    delta_failures (record_id) {
        record_id -> Text,
        reason -> Text,
        failed_at -> BigInt,
    }
}

diesel::table! {
    merkle_trees (tree_id) {
        tree_id -> BigInt,
        ledger_id -> BigInt,
        customer_key -> BigInt,
        period -> Text,
        first_leaf -> BigInt,
        size -> BigInt,
    }
}

diesel::table! {
    merkle_nodes (tree_id, level, position) {
        tree_id -> BigInt,
        level -> BigInt,
        position -> BigInt,
        hash -> Binary,
    }
}

diesel::table! {
    checkpoints (checkpoint_id) {
        checkpoint_id -> Text,
        tree_id -> BigInt,
        tenant_id -> Text,
        mode -> Text,
        customer_id -> Nullable<Text>,
        period -> Nullable<Text>,
        size -> BigInt,
        root -> Binary,
        net_change -> Text,
        note -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    write_lines (tenant_id, mode) {
        tenant_id -> Text,
        mode -> Text,
        accepted -> BigInt,
        pending -> BigInt,
        verified_at -> BigInt,
    }
}

diesel::table! {
    write_requests (request_id) {
        request_id -> Text,
        tenant_id -> Text,
        mode -> Text,
        sequence -> BigInt,
        item_count -> BigInt,
        items -> Text,
        outcomes -> Nullable<Text>,
        created_at -> BigInt,
        verified_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    write_buckets (tenant_id, mode, key) {
        tenant_id -> Text,
        mode -> Text,
        key -> Text,
        account_id -> Text,
        bits -> BigInt,
        writes -> BigInt,
        metadata -> Nullable<Text>,
        last_write_at -> BigInt,
    }
}

diesel::allow_tables_to_appear_in_same_query!(checkpoints, merkle_trees);
diesel::allow_tables_to_appear_in_same_query!(deltas, delta_queue, delta_entries, delta_failures, ledger_customers);
