DROP TABLE test_inbox;
DROP TABLE attention_notes;
DROP INDEX payments_by_currency;
DROP TABLE payment_metadata;
