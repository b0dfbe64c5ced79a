DROP INDEX payments_needing_attention;
DROP TABLE payment_days;
