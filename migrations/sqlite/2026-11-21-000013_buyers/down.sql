ALTER TABLE apps DROP COLUMN kyc_above;
ALTER TABLE customers DROP COLUMN kyc_status;
