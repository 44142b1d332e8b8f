package serverview

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// metadataLocks finds out who holds the metadata locks that sessions wait for.
// Only the performance schema knows, if it is on and may be read.
func metadataLocks(ctx context.Context, l *look) error {
	if !l.has(func(s *mysqlSession) bool { return s.metadataWait }) {
		return nil
	}
	var known bool
	if err := l.q.QueryRowContext(ctx, "SELECT @@performance_schema").Scan(&known); err != nil {
		return fmt.Errorf("ask for the performance schema: %w", err)
	}
	var locks []metadataLock
	var err error
	if known {
		locks, err = readMetadataLocks(ctx, l)
	}
	if err != nil {
		if err := l.lacking(ctx, "who holds the metadata locks that others wait for", err, grantPerformanceSchema); err != nil {
			return err
		}
	}
	for i := range locks {
		for j := range locks {
			if locks[i].waitsFor(locks[j]) {
				l.wait(locks[i].session, Block{By: locks[j].session, Lock: "metadata of " + locks[i].object})
			}
		}
	}
	l.inferMetadataLocks()
	return nil
}

// metadataLock is a lock on a table's definition, or the wait for one.
type metadataLock struct {
	session uint64
	object  string
	mode    string
	pending bool
}

func readMetadataLocks(ctx context.Context, l *look) (out []metadataLock, err error) {
	err = l.each(ctx, `SELECT t.PROCESSLIST_ID, CONCAT(m.OBJECT_SCHEMA, '.', m.OBJECT_NAME), m.LOCK_TYPE, m.LOCK_STATUS = 'PENDING'
FROM performance_schema.metadata_locks m
JOIN (SELECT DISTINCT OBJECT_SCHEMA, OBJECT_NAME FROM performance_schema.metadata_locks
	WHERE OBJECT_TYPE = 'TABLE' AND LOCK_STATUS = 'PENDING') wanted
	ON wanted.OBJECT_SCHEMA = m.OBJECT_SCHEMA AND wanted.OBJECT_NAME = m.OBJECT_NAME
JOIN performance_schema.threads t ON t.THREAD_ID = m.OWNER_THREAD_ID
WHERE m.OBJECT_TYPE = 'TABLE' AND t.PROCESSLIST_ID IS NOT NULL AND m.LOCK_STATUS IN ('GRANTED', 'PENDING')
LIMIT 2000`, func(scan func(...any) error) error {
		var m metadataLock
		err := scan(&m.session, &m.object, &m.mode, &m.pending)
		out = append(out, m)
		return err
	})
	return out, err
}

// waitsFor reports whether a is a wait for b: for a lock that is held, or for
// one that stands before it in the queue, as exclusive ones do.
func (a metadataLock) waitsFor(b metadataLock) bool {
	if !a.pending || a.object != b.object || a.session == b.session || !metadataConflict(a.mode, b.mode) {
		return false
	}
	return !b.pending || b.mode == "EXCLUSIVE" && a.mode != "EXCLUSIVE"
}

// metadataConflict is the servers' table of modes that exclude each other.
func metadataConflict(a, b string) bool {
	return slices.Contains(metadataConflicts[a], b) || slices.Contains(metadataConflicts[b], a)
}

var metadataConflicts = map[string][]string{
	"EXCLUSIVE": {"EXCLUSIVE", "SHARED", "SHARED_HIGH_PRIO", "SHARED_READ", "SHARED_WRITE", "SHARED_WRITE_LOW_PRIO",
		"SHARED_UPGRADABLE", "SHARED_READ_ONLY", "SHARED_NO_WRITE", "SHARED_NO_READ_WRITE"},
	"SHARED_NO_READ_WRITE": {"SHARED_READ", "SHARED_WRITE", "SHARED_WRITE_LOW_PRIO",
		"SHARED_UPGRADABLE", "SHARED_READ_ONLY", "SHARED_NO_WRITE", "SHARED_NO_READ_WRITE"},
	"SHARED_NO_WRITE":   {"SHARED_WRITE", "SHARED_WRITE_LOW_PRIO", "SHARED_UPGRADABLE", "SHARED_NO_WRITE"},
	"SHARED_READ_ONLY":  {"SHARED_WRITE", "SHARED_WRITE_LOW_PRIO"},
	"SHARED_UPGRADABLE": {"SHARED_UPGRADABLE"},
}

// inferMetadataLocks is for waits that the server doesn't explain. Whoever holds
// a metadata lock for long has a transaction open, since before the wait began.
// If there is one such transaction, or if all of them wait for the same one, it
// is that; else the notice names all.
func (l *look) inferMetadataLocks() {
	for id, m := range l.mysql {
		s := l.sessions[id]
		if s == nil || !m.metadataWait || len(s.BlockedBy) > 0 {
			continue
		}
		switch roots := l.oldTransactions(id, s.InState); len(roots) {
		case 0:
			l.notice(fmt.Sprintf("who holds the metadata lock that %d waits for: no transaction that is to be seen is old enough", id), "")
		case 1:
			defer l.wait(id, Block{By: roots[0], Lock: "metadata", Inferred: true})
		default:
			l.notice(fmt.Sprintf("which of the transactions of %s holds the metadata lock that %d waits for: the server tells with performance_schema=ON",
				strings.Trim(fmt.Sprint(roots), "[]"), id), "")
		}
	}
}

// oldTransactions returns who has had a transaction open for longer, without
// those who wait for another of them.
func (l *look) oldTransactions(than uint64, age time.Duration) (roots []uint64) {
	for id, s := range l.sessions {
		// Transactions begin at full seconds, as the server tells it.
		if id == than || !s.Tx || s.TxAge+time.Second < age || len(s.BlockedBy) > 0 || l.mysqlOf(id).metadataWait {
			continue
		}
		roots = append(roots, id)
	}
	slices.Sort(roots)
	return roots
}
