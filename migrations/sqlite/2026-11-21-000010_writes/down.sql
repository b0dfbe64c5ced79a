DROP TABLE write_buckets;
DROP TABLE write_requests;
DROP TABLE write_lines;
