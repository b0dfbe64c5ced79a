//! The tables, as both databases have them. Column meanings are in the migrations.

diesel::table! { counters (name) { name -> Text, value -> BigInt, } }

diesel::table! { install_secrets (name) { name -> Text, sealed -> Text, } }

diesel::table! {
    tenants (tenant_id) {
        tenant_id -> Text,
        name -> Text,
        created_at -> BigInt,
        plan -> Text,
        is_operator -> Bool,
        suspended_at -> Nullable<BigInt>,
    }
}

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
        kyc_above -> Nullable<Text>,
    }
}

diesel::table! {
    webhook_endpoints (endpoint_id) {
        endpoint_id -> Text,
        app_id -> Nullable<Text>,
        url -> Text,
        secret_sealed -> Text,
        previous_secret_sealed -> Nullable<Text>,
        previous_secret_until -> Nullable<BigInt>,
        failing_since -> Nullable<BigInt>,
        disabled_at -> Nullable<BigInt>,
        disabled_reason -> Nullable<Text>,
        created_at -> BigInt,
        tenant_id -> Text,
        mode -> Text,
        description -> Nullable<Text>,
        event_types -> Nullable<Text>,
        header_prefix -> Nullable<Text>,
        deleted_at -> Nullable<BigInt>,
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
        kyc_status -> Text,
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
        origin -> Nullable<Text>,
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
        app_id -> Nullable<Text>,
        event_type -> Text,
        payment_id -> Nullable<Text>,
        body -> Text,
        created_at -> BigInt,
        tenant_id -> Nullable<Text>,
        mode -> Nullable<Text>,
    }
}

diesel::table! {
    deliveries (delivery_id) {
        delivery_id -> Text,
        event_id -> Text,
        endpoint_id -> Text,
        app_id -> Nullable<Text>,
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

diesel::table! {
    users (user_id) {
        user_id -> Text,
        email -> Text,
        password_hash -> Text,
        first_name -> Text,
        last_name -> Text,
        preferred_environment -> Text,
        preferred_mode -> Text,
        time_zone -> Nullable<Text>,
        totp_sealed -> Nullable<Text>,
        totp_confirmed_at -> Nullable<BigInt>,
        totp_last_step -> Nullable<BigInt>,
        email_verified_at -> Nullable<BigInt>,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! { members (tenant_id, user_id) { tenant_id -> Text, user_id -> Text, role -> Text, created_at -> BigInt, } }

diesel::table! {
    invitations (invitation_id) {
        invitation_id -> Text,
        tenant_id -> Text,
        email -> Text,
        role -> Text,
        token_hash -> Text,
        invited_by -> Text,
        expires_at -> BigInt,
        accepted_at -> Nullable<BigInt>,
        revoked_at -> Nullable<BigInt>,
        created_at -> BigInt,
    }
}

diesel::table! {
    sessions (session_id) {
        session_id -> Text,
        user_id -> Text,
        tenant_id -> Text,
        mode -> Text,
        address -> Text,
        user_agent -> Text,
        created_at -> BigInt,
        expires_at -> BigInt,
        revoked_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    mail_tokens (token_hash) {
        token_hash -> Text,
        user_id -> Text,
        purpose -> Text,
        expires_at -> BigInt,
        used_at -> Nullable<BigInt>,
        created_at -> BigInt,
    }
}

diesel::table! {
    mails (mail_id) {
        mail_id -> Text,
        recipient -> Text,
        subject -> Text,
        text_sealed -> Text,
        state -> Text,
        attempts -> Integer,
        due_at -> BigInt,
        error -> Nullable<Text>,
        created_at -> BigInt,
        finished_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    environments (tenant_id, environment) {
        tenant_id -> Text,
        environment -> Text,
        status -> Text,
        error -> Nullable<Text>,
        attempts -> Integer,
        due_at -> Nullable<BigInt>,
        provisioned_at -> Nullable<BigInt>,
        created_at -> BigInt,
    }
}

diesel::table! {
    onboardings (tenant_id, mode) {
        tenant_id -> Text,
        mode -> Text,
        terms_accepted_at -> BigInt,
        legal_name -> Text,
        country -> Text,
        registration_number -> Text,
        kyb_status -> Text,
        reason -> Nullable<Text>,
        submitted_at -> BigInt,
        decided_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    production_requests (request_id) {
        request_id -> Text,
        tenant_id -> Text,
        company_name -> Text,
        expected_monthly_volume -> Text,
        status -> Text,
        reason -> Nullable<Text>,
        created_at -> BigInt,
        decided_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    api_keys (key_id) {
        key_id -> Text,
        tenant_id -> Text,
        mode -> Text,
        name -> Text,
        public_key -> Text,
        secret_hash -> Text,
        previous_secret_hash -> Nullable<Text>,
        previous_secret_until -> Nullable<BigInt>,
        scopes -> Text,
        requests_per_minute -> Nullable<Integer>,
        last_used_at -> Nullable<BigInt>,
        disabled_at -> Nullable<BigInt>,
        deleted_at -> Nullable<BigInt>,
        created_at -> BigInt,
    }
}

diesel::table! {
    audit_entries (entry_id) {
        entry_id -> Text,
        tenant_id -> Text,
        mode -> Nullable<Text>,
        actor -> Text,
        address -> Nullable<Text>,
        action -> Text,
        subject -> Nullable<Text>,
        before -> Nullable<Text>,
        after -> Nullable<Text>,
        created_at -> BigInt,
    }
}

diesel::table! {
    usage_counters (tenant_id, period, name, mode) {
        tenant_id -> Text,
        mode -> Text,
        period -> Text,
        name -> Text,
        used -> BigInt,
    }
}

diesel::table! {
    payment_days (app_id, day, method, currency, shard) {
        app_id -> Text,
        day -> BigInt,
        method -> Text,
        currency -> Text,
        shard -> Integer,
        created -> BigInt,
        succeeded -> BigInt,
        failed -> BigInt,
        canceled -> BigInt,
        succeeded_minor -> BigInt,
    }
}

diesel::table! {
    payment_metadata (app_id, name, value, payment_id) {
        app_id -> Text,
        name -> Text,
        value -> Text,
        payment_id -> Text,
    }
}

diesel::table! {
    test_inbox (received_id) {
        received_id -> Text,
        endpoint_id -> Text,
        headers -> Text,
        body -> Text,
        received_at -> BigInt,
    }
}

diesel::table! {
    attention_notes (payment_id, created_at) {
        payment_id -> Text,
        created_at -> BigInt,
        actor -> Text,
        actor_name -> Text,
        note -> Text,
    }
}

diesel::allow_tables_to_appear_in_same_query!(events, deliveries, webhook_endpoints, payments, apps);
diesel::allow_tables_to_appear_in_same_query!(users, members, sessions, tenants, invitations);
