//! The tables, as both databases have them. Column meanings are in the migrations.

diesel::table! { counters (name) { name -> Text, value -> BigInt, } }

diesel::table! { install_secrets (name) { name -> Text, sealed -> Text, } }

diesel::table! { tenants (tenant_id) { tenant_id -> Text, name -> Text, created_at -> BigInt, } }

diesel::table! {
    apps (app_id) {
        app_id -> Text,
        tenant_id -> Text,
        name -> Text,
        mode -> Text,
        public_key -> Text,
        secret_sealed -> Text,
        previous_secret_sealed -> Nullable<Text>,
        previous_secret_until -> Nullable<BigInt>,
        allowed_providers -> Nullable<Text>,
        allowed_methods -> Nullable<Text>,
        require_signed_query -> Bool,
        archived_at -> Nullable<BigInt>,
        created_at -> BigInt,
    }
}

diesel::table! {
    webhook_endpoints (endpoint_id) {
        endpoint_id -> Text,
        app_id -> Text,
        url -> Text,
        secret_sealed -> Text,
        previous_secret_sealed -> Nullable<Text>,
        previous_secret_until -> Nullable<BigInt>,
        failing_since -> Nullable<BigInt>,
        disabled_at -> Nullable<BigInt>,
        disabled_reason -> Nullable<Text>,
        created_at -> BigInt,
    }
}

diesel::table! {
    customers (app_id, external_user_id) {
        app_id -> Text,
        external_user_id -> Text,
        email -> Nullable<Text>,
        name -> Nullable<Text>,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    payments (payment_id) {
        payment_id -> Text,
        app_id -> Text,
        mode -> Text,
        status -> Text,
        amount_minor -> BigInt,
        paid_minor -> BigInt,
        refunded_minor -> BigInt,
        currency -> Text,
        method -> Text,
        provider -> Text,
        provider_ref -> Nullable<Text>,
        fallback_wanted -> Nullable<Text>,
        fallback_reason -> Nullable<Text>,
        provider_checkout_url -> Nullable<Text>,
        instructions -> Nullable<Text>,
        invoice_number -> Text,
        external_user_id -> Text,
        email -> Nullable<Text>,
        description -> Nullable<Text>,
        metadata -> Text,
        buyer -> Nullable<Text>,
        mock -> Nullable<Text>,
        last_error -> Text,
        return_url -> Text,
        expires_at -> BigInt,
        poll_at -> Nullable<BigInt>,
        polls -> Integer,
        needs_attention -> Bool,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    attempts (attempt_id) {
        attempt_id -> Text,
        payment_id -> Text,
        provider -> Text,
        mode -> Text,
        state -> Text,
        provider_ref -> Nullable<Text>,
        error -> Nullable<Text>,
        created_at -> BigInt,
        answered_at -> Nullable<BigInt>,
        account_id -> Nullable<Text>,
        reference -> Text,
    }
}

diesel::table! {
    receipts (payment_id, provider_transaction) {
        payment_id -> Text,
        provider_transaction -> Text,
        amount_minor -> BigInt,
        created_at -> BigInt,
    }
}

diesel::table! {
    refunds (refund_id) {
        refund_id -> Text,
        app_id -> Text,
        payment_id -> Text,
        mode -> Text,
        status -> Text,
        amount_minor -> BigInt,
        currency -> Text,
        provider_ref -> Nullable<Text>,
        reason -> Nullable<Text>,
        created_at -> BigInt,
        updated_at -> BigInt,
        provider_transaction -> Nullable<Text>,
        poll_at -> Nullable<BigInt>,
        polls -> Integer,
    }
}

diesel::table! {
    requests (request_id) {
        request_id -> BigInt,
        signed_at -> BigInt,
        signature -> Binary,
        idempotency_key -> Nullable<Binary>,
        body_digest -> Binary,
        replay_of -> Nullable<BigInt>,
        status_code -> Nullable<Integer>,
        answer -> Nullable<Text>,
        payment_id -> Nullable<Text>,
        created_at -> BigInt,
    }
}

diesel::table! {
    events (event_id) {
        event_id -> Text,
        app_id -> Text,
        event_type -> Text,
        payment_id -> Nullable<Text>,
        body -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    deliveries (delivery_id) {
        delivery_id -> Text,
        event_id -> Text,
        endpoint_id -> Text,
        app_id -> Text,
        payment_id -> Nullable<Text>,
        state -> Text,
        attempts -> Integer,
        due_at -> BigInt,
        lease -> Nullable<Text>,
        log -> Text,
        created_at -> BigInt,
        finished_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    inbox (inbox_id) {
        inbox_id -> Text,
        provider -> Text,
        mode -> Text,
        provider_event -> Text,
        verdict -> Text,
        payment_id -> Nullable<Text>,
        detail -> Text,
        headers -> Text,
        body -> Text,
        received_at -> BigInt,
        account_id -> Nullable<Text>,
        attempt_id -> Nullable<Text>,
        due_at -> Nullable<BigInt>,
        tries -> Integer,
    }
}

diesel::table! {
    mock_charges (payment_id) {
        payment_id -> Text,
        outcome -> Text,
        charges -> Integer,
        created_at -> BigInt,
    }
}

diesel::table! {
    mock_jobs (job_id) {
        job_id -> Text,
        payment_id -> Text,
        kind -> Text,
        body -> Text,
        due_at -> BigInt,
    }
}

diesel::table! {
    reversals (payment_id, provider_transaction) {
        payment_id -> Text,
        provider_transaction -> Text,
        amount_minor -> BigInt,
        reason -> Text,
        created_at -> BigInt,
    }
}

diesel::table! {
    provider_accounts (account_id) {
        account_id -> Text,
        tenant_id -> Text,
        provider -> Text,
        mode -> Text,
        base_url -> Nullable<Text>,
        credentials_sealed -> Text,
        archived_at -> Nullable<BigInt>,
        created_at -> BigInt,
    }
}

diesel::table! {
    subscriptions (subscription_id) {
        subscription_id -> Text,
        app_id -> Text,
        payment_id -> Text,
        mode -> Text,
        provider -> Text,
        account_id -> Nullable<Text>,
        provider_ref -> Text,
        external_user_id -> Text,
        status -> Text,
        current_period_end -> Nullable<BigInt>,
        cancel_at_period_end -> Bool,
        changed_at -> BigInt,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    renewals (subscription_id, provider_transaction) {
        subscription_id -> Text,
        provider_transaction -> Text,
        amount_minor -> BigInt,
        currency -> Text,
        created_at -> BigInt,
    }
}

diesel::allow_tables_to_appear_in_same_query!(events, deliveries, webhook_endpoints, payments);
