-- Whether the product knows who a buyer is, and above which amounts it must.

ALTER TABLE customers ADD COLUMN kyc_status TEXT NOT NULL DEFAULT 'none' CONSTRAINT customers_kyc_status CHECK (kyc_status IN ('none', 'pending', 'approved', 'rejected'));

-- As IDR=1000000,USD=10000, in minor units; no limit in other currencies.
ALTER TABLE apps ADD COLUMN kyc_above TEXT;
