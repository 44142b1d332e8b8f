package reporttest

import (
	"reflect"

	"github.com/dbleaks-go/dbleaks/internal/report"
)

// ServerView is of the shop of Diagnosis: one of the checkouts blocks the other,
// somebody else blocks the archive, and one of its connections was forgotten.
func ServerView() report.ServerView {
	held := func(id, kind, state string, site report.Frame, age float64) []report.ServerHolder {
		return []report.ServerHolder{{Finding: id, Kind: kind, State: state, Site: site, AgeSeconds: age, Reason: "idle for 1m 11s, threshold 1m"}}
	}
	return report.ServerView{TakenAt: Now, Servers: []report.Server{
		{
			Pools: []string{"orders"}, Kind: "MariaDB", Version: "10.11.19-MariaDB", TookSeconds: 0.004, Open: 11, InUse: 10,
			Sessions: []report.Session{
				{
					ID: 3026, User: "app", Client: "10.0.0.7:40112", Program: "shop", Database: "orders",
					State: "idle in transaction", Detail: "Sleep", InStateSeconds: 71, Tx: true, TxAgeSeconds: 90, RowsLocked: 3, RowsModified: 1,
					Query: "UPDATE stock SET n = ? WHERE id = ?", Blocks: []uint64{3027, 3029}, Kill: "KILL 3026",
					Conn: &report.ServerConn{Pool: "orders", Holders: held("f2", "tx", "overdue", report.Frame(checkout), 90)},
				},
				{
					ID: 3027, User: "app", State: "waiting for a lock", Detail: "row lock", InStateSeconds: 62, Tx: true, TxAgeSeconds: 63,
					BlockedBy: []report.Block{{By: 3026, Lock: "row"}}, Roots: []uint64{3026}, Blocks: []uint64{3029}, Kill: "KILL 3027",
					Conn: &report.ServerConn{Pool: "orders", Holders: held("f2", "tx", "overdue", report.Frame(checkout), 63)},
				},
				{
					ID: 3029, User: "app", State: "waiting for a lock", Detail: "Waiting for table metadata lock", InStateSeconds: 60,
					BlockedBy: []report.Block{{By: 3026, Lock: "metadata", Inferred: true}, {By: 3027, Lock: "metadata"}}, Roots: []uint64{3026}, Kill: "KILL 3029",
					Conn: &report.ServerConn{Pool: "orders", Holders: held("o1", "conn", "open", report.Frame(listen), 10800)},
				},
			},
			Notices: []report.Notice{{What: "what other accounts do", Grant: "GRANT PROCESS ON *.* TO 'app'@'%'"}},
		},
		{
			Pools: []string{"archive"}, Kind: "PostgreSQL", Version: "PostgreSQL 15.18 (Debian 15.18-1) on x86_64", TookSeconds: 0.002, Open: 2, InUse: 1,
			Sessions: []report.Session{
				{ID: 71, User: "batch", Program: "psql", State: "active", InStateSeconds: 300, Blocks: []uint64{72}, Kill: "SELECT pg_terminate_backend(71)"},
				{
					ID: 72, User: "app", State: "waiting for a lock", Detail: "Lock: relation", InStateSeconds: 200,
					BlockedBy: []report.Block{{By: 71, Lock: "relation"}}, Roots: []uint64{71}, Kill: "SELECT pg_terminate_backend(72)",
					Conn: &report.ServerConn{Pool: "archive", Holders: held("o2", "rows", "open", report.Frame(export), 400)},
				},
			},
			Orphans: []report.Session{{
				ID: 80, User: "app", State: "idle", InStateSeconds: 900, Kill: "SELECT pg_terminate_backend(80)",
				Conn: &report.ServerConn{Pool: "archive", ClosedForSeconds: 880, LastSite: report.Frame(export)},
			}},
		},
		{Pools: []string{"audit", "log"}, Error: "connect: dial tcp 10.0.0.9:5432: connection refused"},
	}}
}

// HostileServerView has Evil at the end of every text in it.
func HostileServerView() report.ServerView {
	v := ServerView()
	suffix(reflect.ValueOf(&v).Elem(), Evil)
	return v
}
