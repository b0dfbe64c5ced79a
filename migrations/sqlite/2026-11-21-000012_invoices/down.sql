DROP TABLE payment_links;
DROP TABLE invoices;
DROP INDEX payments_by_origin;
ALTER TABLE payments DROP COLUMN origin;
