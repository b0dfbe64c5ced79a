-- There is no way back from the first migration that keeps the data: restore a backup instead.
SELECT 1;
