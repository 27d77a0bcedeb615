DROP TABLE counters;
DROP TABLE idempotency_keys;
DROP TABLE workers;
DROP TABLE queues;
DROP TABLE dead_letter_queue;
DROP TABLE attempts;
DROP TABLE leases;
DROP TABLE tasks;
