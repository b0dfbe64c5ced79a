//! The tables of invoices and payment links, as diesel knows them; the others are in `schema`. The truth is in
//! `migrations/`.

diesel::table! {
    invoices (invoice_id) {
        invoice_id -> Text,
        app_id -> Text,
        mode -> Text,
        status -> Text,
        number -> Text,
        external_user_id -> Text,
        email -> Nullable<Text>,
        currency -> Text,
        line_items -> Text,
        amount_minor -> BigInt,
        due_at -> Nullable<BigInt>,
        methods -> Nullable<Text>,
        return_url -> Nullable<Text>,
        metadata -> Text,
        external_id -> Nullable<Text>,
        content -> Text,
        created_at -> BigInt,
        updated_at -> BigInt,
        paid_at -> Nullable<BigInt>,
        voided_at -> Nullable<BigInt>,
    }
}

diesel::table! {
    payment_links (payment_link_id) {
        payment_link_id -> Text,
        app_id -> Text,
        mode -> Text,
        status -> Text,
        currency -> Text,
        amount_minor -> Nullable<BigInt>,
        min_minor -> Nullable<BigInt>,
        max_minor -> Nullable<BigInt>,
        description -> Text,
        methods -> Nullable<Text>,
        uses_max -> Nullable<BigInt>,
        uses -> BigInt,
        reserved -> BigInt,
        expires_at -> Nullable<BigInt>,
        return_url -> Nullable<Text>,
        metadata -> Text,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}
