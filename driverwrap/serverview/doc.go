// Package serverview shows what the database server sees of a pool's
// connections: which of them sit in a transaction and for how long, whom they
// block, who blocks them, and the statement that ends each. It knows MariaDB,
// MySQL (5.7 and later) and PostgreSQL (10 and later) by their own answers,
// whatever the driver.
//
// [Enable] is an option for where the DB is opened. It has the server's number
// of each connection learned as the connection is made, for nothing where
// possible:
//
//   - PostgreSQL with github.com/jackc/pgx/v5/stdlib: its connections tell.
//   - MariaDB and MySQL: the server's greeting tells, to a dial function that
//     [MySQLDialer] made.
//   - Anything else: one query for each new connection, if [AskID] is given.
//
// [Look] asks the servers, when it is called and at no other time, over a
// connection that it makes with the bare driver and closes again. It neither
// waits for the pool nor takes anything from it, so it works while the pool is
// exhausted. Given to httpdebug.WithServerView, [ForReports] has the diagnosis
// of package httpdebug, and so the command dbleaks doctor, look as well.
//
// # Accounts
//
// The application's own account sees its own connections. What it may not see
// is left out, and the [Server.Notices] name the missing grant. [Through] looks
// with another account.
//
// # Limits
//
// Numbers are those of the server that the driver talks to. A proxy that
// answers in a server's place, such as ProxySQL or PgBouncer, has numbers of
// its own: Look notices, and joins nothing. Behind a balancer that spreads the
// connections of one address over several servers it can't notice.
package serverview
