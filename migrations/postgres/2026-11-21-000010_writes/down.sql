DROP INDEX refunds_by_reference;
