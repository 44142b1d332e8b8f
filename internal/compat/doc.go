// Package compat tests dbleaks where it is used: on a private MariaDB and a
// private PostgreSQL through the drivers of github.com/go-sql-driver/mysql,
// github.com/jackc/pgx and github.com/lib/pq, and on modernc.org/sqlite. It
// holds tests only, in a module of its own, because of all it depends on.
package compat
